"""The system call filter: a deny list, assembled here as classic BPF.

A list of what is allowed would break with each release of a numerical library. What is denied gives
EPERM, so that libraries fall back. Numbers: the kernel's tables for x86_64 and aarch64.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from harness.jail.kernel import PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, machine, prctl

_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000  # the other ABI of x86_64: the same calls under other numbers

# name → numbers on x86_64 and aarch64; None where there is no such call
DENIED: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "pidfd_getfd": (438, 438), "kcmp": (312, 272),
    # mounts and namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    # files by other ways than their path
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "mknod": (133, None), "mknodat": (259, 33), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "fanotify_init": (300, 262),
    # large parts of the kernel that predictors have no use for
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # what System V and POSIX leave behind
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195),
    "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192),
    "mq_open": (240, 180), "mq_unlink": (241, 181),
    # the machine
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "swapon": (167, 224),
    "swapoff": (168, 225), "reboot": (169, 142), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171), "sethostname": (170, 161),
    "setdomainname": (171, 162), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None), "syslog": (103, 116), "vhangup": (153, 58),
    "uselib": (134, None), "lookup_dcookie": (212, 18),
}  # fmt: skip

_CLONE, _CLONE3 = (56, 220), (435, 435)
_SOCKET, _SOCKETPAIR, _IOCTL = (41, 198), (53, 199), (16, 29)
_NAMESPACES = 0x7E020000  # every CLONE_NEW… that clone(2) takes
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # put words into a terminal's input
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE = 1, 1, 0xF

# instructions: load a word, and with a constant, jump if equal | at least | any bit set, return
_LD, _AND, _JEQ, _JGE, _JSET, _RET = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NR, _ARCH, _ARGUMENT = 0, 4, 16  # where seccomp_data holds them (the low words of arguments)


def assemble(architecture: str, *, unix_sockets: bool) -> bytes:
    """Assemble the filter.

    Parameters
    ----------
    architecture : str
        ``x86_64`` or ``aarch64``.
    unix_sockets : bool
        Whether Unix sockets may be made: where there is no other's to connect to.

    Returns
    -------
    bytes
        Instructions of 8 bytes.

    Examples
    --------
    >>> len(assemble("aarch64", unix_sockets=False)) % 8
    0
    """
    column = list(_ARCHITECTURE).index(architecture)
    refuse = _op(_RET, _ERRNO | errno.EPERM)
    code = [_op(_LD, _ARCH), _op(_JEQ, _ARCHITECTURE[architecture], 1, 0), _op(_RET, _KILL)]
    code.append(_op(_LD, _NR))
    if architecture == "x86_64":
        code += [_op(_JGE, _X32, 0, 1), refuse]
    for numbers in DENIED.values():
        if (number := numbers[column]) is not None:
            code += [_op(_JEQ, number, 0, 1), refuse]
    # the C library falls back to clone, whose flags can be seen
    code += [_op(_JEQ, _CLONE3[column], 0, 1), _op(_RET, _ERRNO | errno.ENOSYS)]
    code += _when(_CLONE[column], 0, [_op(_JSET, _NAMESPACES, 0, 1), refuse])
    if unix_sockets:
        code += _when(_SOCKET[column], 0, [_op(_JEQ, _AF_UNIX, 1, 0), refuse])
    else:
        code += [_op(_JEQ, _SOCKET[column], 0, 1), refuse]
    # a pair of datagram sockets could send to any other
    kinds = [_op(_AND, _SOCK_TYPE), _op(_JEQ, _SOCK_STREAM, 1, 0), refuse]
    code += _when(_SOCKETPAIR[column], 1, kinds)
    words = [_op(_JEQ, _TIOCSTI, 1, 0), _op(_JEQ, _TIOCLINUX, 0, 1), refuse]
    code += _when(_IOCTL[column], 1, words)
    return b"".join([*code, _op(_RET, _ALLOW)])


def _when(number: int, argument: int, body: list[bytes]) -> list[bytes]:
    """Carry instructions out on an argument of one system call; allow what they let through."""
    inner = [_op(_LD, _ARGUMENT + 8 * argument), *body, _op(_RET, _ALLOW)]
    return [_op(_JEQ, number, 0, len(inner)), *inner]


def _op(code: int, constant: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, true, false, constant)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def restrict(*, unix_sockets: bool) -> None:
    """Put this process and all its children under the filter, for ever.

    Raises
    ------
    OSError
        If the kernel has no seccomp.
    """
    code = assemble(machine(), unix_sockets=unix_sockets)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    program = _Program(len(code) // 8, code)
    filter_mode = 2
    prctl(PR_SET_SECCOMP, filter_mode, ctypes.byref(program))
