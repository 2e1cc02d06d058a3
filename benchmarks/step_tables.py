"""What benchmarks/steps.py prints: the list of steps, and tables with ratios and the targets that they reach."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.tables import COLUMNS, Figures, show, table

if TYPE_CHECKING:
    from benchmarks.segmentation import Setting
    from benchmarks.steps import Plan, Records, Step


@dataclass(frozen=True)
class Target:
    """What a figure of ours shall reach, or its ratio to the same figure of ``theirs``.

    ``mine`` is how the names of the contenders begin that it is for; ``model`` and ``objects`` say in which settings.
    """

    mine: str
    figure: str
    least: float
    theirs: str | None = None
    model: str | None = None
    objects: int | None = None

    def applies(self, setting: "Setting") -> bool:
        """Whether it is meant for the setting."""
        return self.model in (None, setting.model) and self.objects in (None, setting.objects)


def show_list(steps: Iterable["Step"], records: "Records") -> None:
    """Prints a line for every contender of every setting: what is done, and what is left or why not."""
    groups: dict[tuple[str, str], list[Step]] = {}
    for step in steps:
        groups.setdefault((step.key, step.contender), []).append(step)
    heading = ""
    for (key, contender), group in groups.items():
        if key != heading:
            print(f"\n{(heading := key)}")
        rounds = records.of(group[0])
        done = [rounds[str(step.round)] for step in group if "figures" in rounds.get(str(step.round), {})]
        reasons = [each["left_out"] for each in rounds.values() if "left_out" in each]
        left = f"left out: {reasons[0]}" if reasons else f"{len(group) - len(done)} left" if group[len(done) :] else ""
        took = f"{max(each['took_s'] for each in done):.0f} s at most, " if done else ""
        print(f"  {contender:24} {len(done)} of {len(group)} done, {took}{left}".rstrip(", "), flush=True)


def show_tables(plan: "Plan", steps: Iterable["Step"], records: "Records") -> None:
    """Prints medians and ratios of every setting that has figures, with its targets."""
    for key, setting in {step.key: step.setting for step in steps}.items():
        names = [name for name in plan.contenders if name in records.settings.get(key, {})]
        measured = {name: figures for name in names if (figures := _figures(records.settings[key][name]))}
        if not measured:
            continue
        result = table(measured, plan.theirs)
        show(key, result)
        for name, rounds in measured.items():
            if encoders := {str(each["encoder"]) for each in rounds.values() if "encoder" in each}:
                print(f"  {name} was encoded by {', '.join(sorted(encoders))}")
        for line in targets(plan, setting, result):
            print(f"  {line}")
        made = [each for name in names for each in records.settings[key][name].values()]
        if len(commits := {each["commit"] for each in made}) > 1:
            print(f"  the steps are of {len(commits)} commits: {', '.join(sorted(map(str, commits)))}")


def _figures(rounds: Mapping[str, Mapping[str, Any]]) -> dict[int, Figures]:
    return {int(number): dict(each["figures"]) for number, each in rounds.items() if "figures" in each}


def targets(plan: "Plan", setting: "Setting", result: Mapping[str, Any]) -> list[str]:
    """A line for each target of the setting that something was measured for."""
    lines = []
    for target in filter(lambda target: target.applies(setting), plan.targets):
        for name, medians in result["medians"].items():
            if name in plan.theirs or not name.startswith(target.mine):
                continue
            what = f"{name} / {target.theirs}" if target.theirs else name
            ratio = result["ratios"].get(what, {}).get(target.figure, {})
            value = ratio.get("median") if target.theirs else medians.get(target.figure)
            if value is not None:
                verdict = "reached" if value >= target.least else "MISSED"
                lines.append(f"target: {what}, {COLUMNS[target.figure][0]} {value:g} of {target.least:g}: {verdict}")
    return lines
