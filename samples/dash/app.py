"""Shop figures: two pages, one of them a chart that follows a choice."""

import sys

import dash
from dash import Dash, dcc, html

app = Dash(__name__, use_pages=True, title="Shop figures", suppress_callback_exceptions=True)

app.layout = html.Main(
    [
        html.H1("Shop figures"),
        html.Nav([dcc.Link(page["name"], href=page["relative_path"]) for page in dash.page_registry.values()]),
        dash.page_container,
        html.Footer("Dash on Python " + ".".join(map(str, sys.version_info[:3]))),
    ]
)
