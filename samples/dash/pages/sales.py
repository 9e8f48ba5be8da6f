import dash
from dash import Input, Output, callback, dcc, html

dash.register_page(__name__, path="/", name="Sales")

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
SALES = {
    "Coffee": [41, 39, 44, 47, 43, 38, 33, 31, 42, 48, 52, 57],
    "Tea": [28, 30, 27, 22, 20, 17, 15, 16, 23, 29, 33, 36],
    "Ice cream": [2, 3, 8, 17, 29, 46, 58, 55, 31, 12, 4, 3],
}

layout = html.Section(
    [
        dcc.Dropdown(list(SALES), "Coffee", id="product", clearable=False),
        html.P(id="answer"),
        dcc.Graph(id="chart", config={"displayModeBar": False}),
    ]
)


@callback(Output("answer", "children"), Output("chart", "figure"), Input("product", "value"))
def show(product):
    values = SALES[product]
    best = MONTHS[values.index(max(values))]
    figure = {
        "data": [{"type": "bar", "x": MONTHS, "y": values, "marker": {"color": "#7c4dbd"}}],
        "layout": {"margin": {"t": 10, "r": 10}, "yaxis": {"title": {"text": "thousand"}}},
    }
    return f"{product}: {sum(values)} thousand sold, best month {best}.", figure
