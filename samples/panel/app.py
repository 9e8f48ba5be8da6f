"""Loan: what a loan costs each month, and how it shrinks."""

import sys

import panel as pn
from bokeh.models import NumeralTickFormatter
from bokeh.plotting import figure

pn.extension()

amount = pn.widgets.IntSlider(name="Amount (thousand)", start=10, end=500, step=10, value=200)
rate = pn.widgets.FloatSlider(name="Interest a year (%)", start=0.5, end=10, step=0.25, value=3.5)
years = pn.widgets.IntSlider(name="Years", start=5, end=35, value=20)


def monthly(amount, rate, years):
    share = rate / 1200
    return amount * 1000 * share / (1 - (1 + share) ** (-12 * years))


def cost(amount, rate, years):
    payment = monthly(amount, rate, years)
    total = payment * 12 * years - amount * 1000
    return pn.pane.Markdown(f"## {payment:,.0f} a month\n{total:,.0f} of it is interest in the end.")


def curve(amount, rate, years):
    payment, left, rest = monthly(amount, rate, years), amount * 1000.0, []
    for month in range(12 * years):
        if month % 12 == 0:
            rest.append(left)
        left = left * (1 + rate / 1200) - payment
    plot = figure(height=320, sizing_mode="stretch_width", x_axis_label="year", toolbar_location=None)
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0")
    plot.vbar(x=list(range(years)), top=rest, width=0.8, color="#1d6fa5")
    return plot


pn.Column(
    "# Loan",
    pn.Row(amount, rate, years),
    pn.bind(cost, amount, rate, years),
    pn.bind(curve, amount, rate, years),
    pn.pane.Markdown("Panel on Python " + ".".join(map(str, sys.version_info[:3]))),
    max_width=860,
    styles={"margin": "1rem auto", "padding": "0 1.5rem"},
    sizing_mode="stretch_width",
).servable(title="Loan")
