"""Unit desk: converts what a small team measures every day."""

import sys

from flask import Flask, redirect, render_template, request, url_for

app = Flask(__name__)

UNITS = {
    "km-mi": ("kilometres", "miles", lambda value: value * 0.621371),
    "kg-lb": ("kilograms", "pounds", lambda value: value * 2.204623),
    "c-f": ("°C", "°F", lambda value: value * 9 / 5 + 32),
    "l-gal": ("litres", "gallons", lambda value: value * 0.264172),
}


@app.get("/")
def home():
    unit = request.args.get("unit") or request.cookies.get("unit") or "km-mi"
    value = request.args.get("value", type=float)
    source, target, convert = UNITS.get(unit, UNITS["km-mi"])
    answer = None if value is None else f"{value:g} {source} = {convert(value):.2f} {target}"
    return render_template("home.html", units=UNITS, unit=unit, value=value, answer=answer, version=python_version())


@app.post("/convert")
def convert():
    """Redirect to a page that can be reloaded and shared, and remember the unit in a cookie."""
    unit = request.form.get("unit", "km-mi")
    response = redirect(url_for("home", unit=unit, value=request.form.get("value", "0")))
    response.set_cookie("unit", unit, path=url_for("home"), httponly=True, samesite="Lax")
    return response


@app.get("/api/convert/<unit>/<float:value>")
def convert_api(unit, value):
    if unit not in UNITS:
        return {"error": f"Unknown unit {unit}."}, 404
    source, target, convert = UNITS[unit]
    return {"from": source, "to": target, "value": value, "answer": round(convert(value), 4)}


@app.get("/version")
def version():
    return {"version": python_version()}


def python_version():
    return ".".join(map(str, sys.version_info[:3]))
