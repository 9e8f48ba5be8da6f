"""Smoothing: how a moving average hides or shows what is in a noisy series."""

import math
import random
import sys

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Div, Slider
from bokeh.plotting import figure

random.seed(3)
DAYS = list(range(200))
NOISY = [math.sin(day / 18) + 0.3 * math.sin(day / 3) + random.gauss(0, 0.35) for day in DAYS]


def averaged(width):
    half = width // 2
    windows = (NOISY[max(0, day - half) : day + half + 1] for day in DAYS)
    return [sum(window) / len(window) for window in windows]


source = ColumnDataSource({"day": DAYS, "noisy": NOISY, "smooth": averaged(9)})
plot = figure(height=360, sizing_mode="stretch_width", x_axis_label="day", toolbar_location=None)
plot.scatter("day", "noisy", source=source, size=5, alpha=0.4, color="#888888")
plot.line("day", "smooth", source=source, line_width=3, color="#c2410c")

answer = Div(text="")
width = Slider(title="Days averaged", start=1, end=61, step=2, value=9)


def update(attr, old, new):
    smooth = averaged(width.value)
    source.data = {"day": DAYS, "noisy": NOISY, "smooth": smooth}
    answer.text = f"<b>Averaging {width.value} days leaves a range of {max(smooth) - min(smooth):.2f}.</b>"


width.on_change("value", update)
update("value", None, width.value)

heading = Div(text="<h1>Smoothing</h1><p>Each dot is one day; the line is the average of the days around it.</p>")
version = Div(text="Bokeh on Python " + ".".join(map(str, sys.version_info[:3])))
page = column(heading, width, answer, plot, version, sizing_mode="stretch_width", max_width=820)
page.styles = {"margin": "2rem auto", "padding": "0 1.5rem"}
curdoc().add_root(page)
curdoc().title = "Smoothing"
