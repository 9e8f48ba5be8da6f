"""Waiting line: how long people wait for a given number of counters."""

import random
import sys
from pathlib import Path

from shiny import App, reactive, render, ui

app_ui = ui.page_fluid(
    ui.tags.link(rel="stylesheet", href="line.css"),
    ui.h1("Waiting line"),
    ui.layout_columns(
        ui.input_slider("counters", "Counters", 1, 8, 3),
        ui.input_slider("arrivals", "Visitors an hour", 10, 120, 60, step=5),
        ui.input_slider("minutes", "Minutes each takes", 1, 10, 3),
    ),
    ui.output_text("answer"),
    ui.output_ui("bars"),
    ui.p("Shiny on Python " + ".".join(map(str, sys.version_info[:3])), class_="version"),
)


def simulate(counters, arrivals, minutes, seed=11):
    """Return the waiting times, in minutes, of one day of eight hours."""
    chance = random.Random(seed)
    free, now, waits = [0.0] * counters, 0.0, []
    while now < 480:
        now += chance.expovariate(arrivals / 60)
        counter = min(range(counters), key=free.__getitem__)
        begin = max(now, free[counter])
        free[counter] = begin + chance.expovariate(1 / minutes)
        waits.append(begin - now)
    return waits


def server(input, output, session):
    @reactive.calc
    def waits():
        return simulate(input.counters(), input.arrivals(), input.minutes())

    @render.text
    def answer():
        times = waits()
        patient = sum(1 for wait in times if wait <= 5) / len(times)
        return f"Mean wait {sum(times) / len(times):.1f} minutes; {patient:.0%} wait five minutes or less."

    @render.ui
    def bars():
        edges = [1, 5, 10, 20, 40, 80, 10_000]
        counts, below = [], 0.0
        for edge in edges:
            counts.append(sum(1 for wait in waits() if below <= wait < edge))
            below = edge
        labels = ["under 1", "1–5", "5–10", "10–20", "20–40", "40–80", "longer"]
        top = max(counts) or 1
        rows = (
            ui.div(ui.span(label), ui.div(style=f"width:{count / top:.1%}"), ui.span(count), class_="bar")
            for label, count in zip(labels, counts)
        )
        return ui.div(*rows, class_="bars")


app = App(app_ui, server, static_assets=Path(__file__).parent / "www")
