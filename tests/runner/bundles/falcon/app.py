import falcon.asgi


class Where:
    async def on_get(self, request, response):
        response.text = request.root_path + request.path


app = falcon.asgi.App()
app.add_route("/where", Where())
