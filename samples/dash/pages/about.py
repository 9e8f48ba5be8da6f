import dash
from dash import dcc, html

dash.register_page(__name__, name="About")

layout = html.Section(
    [
        html.P("The figures are made up. The links are relative to wherever this application is published:"),
        dcc.Link("back to the sales", href=dash.get_relative_path("/")),
    ]
)
