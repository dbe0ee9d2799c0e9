"""Django Channels: the application for daphne, which sends everything back."""

import django
from channels.generic.websocket import WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import re_path

settings.configure(SECRET_KEY="a test", ALLOWED_HOSTS=["*"])
django.setup()


class Echo(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        if text_data == "close":
            self.close(4001, "réason")
        else:
            self.send(text_data=text_data, bytes_data=bytes_data)

    def disconnect(self, code):
        print(f"closed {code}", flush=True)


application = ProtocolTypeRouter(
    {"websocket": URLRouter([re_path("", Echo.as_asgi())])}
)
