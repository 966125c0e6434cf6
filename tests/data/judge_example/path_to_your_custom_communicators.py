"""A plot of the data: what each grader gives to each LLM on average."""

import matplotlib.pyplot as plt

from hibayes.communicate import Communicator, communicate


@communicate
def your_lovely_plot(title: bool = False) -> Communicator:
    """Plot mean scores, a line for each grader."""

    def communicate(state, display=None):
        means = state.processed_data.pivot_table(index="LLM", columns="grader", values="score")
        figure, axes = plt.subplots(figsize=(7, 4))
        for grader in means.columns:
            axes.plot(means.index, means[grader], "o-", label=grader)
        axes.set_xlabel("LLM")
        axes.set_ylabel("mean score (points, 0 to 10)")
        axes.set_ylim(0, 10)
        axes.legend(title="grader", frameon=False, ncols=3, loc="lower center")
        if title:
            axes.set_title("Mean scores by grader and LLM")
        state.add_plot(plot=figure, plot_name="your_lovely_plot")
        return state, "pass"

    return communicate
