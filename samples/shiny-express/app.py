"""Dice: what many throws add up to."""

import random
import sys
from collections import Counter

from shiny import reactive
from shiny.express import input, render, ui

ui.page_opts(title="Dice", fillable=False)

with ui.layout_columns():
    ui.input_slider("dice", "Dice", 1, 6, 2)
    ui.input_slider("throws", "Throws", 100, 5000, 1000, step=100)
    ui.input_action_button("again", "Throw again")


@reactive.calc
def totals():
    chance = random.Random(input.again())
    return [sum(chance.randint(1, 6) for _ in range(input.dice())) for _ in range(input.throws())]


@render.text
def answer():
    found = totals()
    value, count = Counter(found).most_common(1)[0]
    return f"Mean {sum(found) / len(found):.2f}; most often {value} ({count} of {len(found)} throws)."


@render.ui
def picture():
    counts = Counter(totals())
    top, width = max(counts.values()), 640
    step = width / (max(counts) - min(counts) + 1)
    bars = "".join(
        f'<rect x="{(value - min(counts)) * step:.1f}" y="{200 - 190 * count / top:.1f}" '
        f'width="{step * 0.85:.1f}" height="{190 * count / top:.1f}" fill="#3b6fb6"><title>{value}: {count}</title></rect>'
        for value, count in counts.items()
    )
    return ui.HTML(f'<svg viewBox="0 0 {width} 200" style="max-width:{width}px;width:100%">{bars}</svg>')


ui.p("Shiny Express on Python " + ".".join(map(str, sys.version_info[:3])))
