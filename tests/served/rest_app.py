"""A Django REST framework application with its own token authentication.

``python rest_app.py`` makes the tables and a user, and prints her token. They are at
`REST_DATABASE`; the audit log is at `REST_LOG`.
"""

import os

import django
from django.conf import settings

from auditring import Auditor, LogWriter, Policy

settings.configure(
    ALLOWED_HOSTS=["*"],
    AUDITRING={
        "auditor": Auditor(
            Policy.preset("application-2"), LogWriter(os.environ["REST_LOG"])
        ),
    },
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["REST_DATABASE"],
        }
    },
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework.authtoken",
    ],
    MIDDLEWARE=["auditring.middleware.django.AuditMiddleware"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework.authentication.TokenAuthentication"
        ],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for tests",
    USE_TZ=True,
)
django.setup()

# They want the settings.
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Orders(APIView):
    """Orders, of which nothing is kept."""

    def get(self, request: Request) -> Response:
        return Response({"me": request.user.get_username()})

    def post(self, request: Request) -> Response:
        return Response(request.data, status=201)

    def delete(self, request: Request) -> Response:
        raise ValueError("odd")


urlpatterns = [path("orders", Orders.as_view())]
app = get_wsgi_application()
asgi_app = get_asgi_application()


def make_token() -> str:
    """Make the tables and a user; return her token."""
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command
    from rest_framework.authtoken.models import Token

    call_command("migrate", verbosity=0)
    dora = User.objects.create_user("dora", password="only for tests")
    dora.groups.add(Group.objects.create(name="staff"))
    return str(Token.objects.create(user=dora).key)


if __name__ == "__main__":
    print(make_token())
