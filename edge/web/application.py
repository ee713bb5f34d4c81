"""The addresses of the page."""

from tornado.web import Application

from edge.web.changes import PictureHandler, PicturesHandler, PlacesHandler, RequestsHandler, SettingHandler
from edge.web.handler import NotFound, Site
from edge.web.live import LiveHandler
from edge.web.pages import FileHandler, HealthzHandler, HomeHandler, LoginHandler, LogoutHandler, MetricsHandler

HANDLERS = {
    "/": HomeHandler,
    "/login": LoginHandler,
    "/logout": LogoutHandler,
    "/static/([^/]+)": FileHandler,
    "/live": LiveHandler,
    "/settings/([^/]+)": SettingHandler,
    "/requests/([^/]+)": RequestsHandler,
    "/places": PlacesHandler,
    "/pictures": PicturesHandler,
    "/picture[.]jpg": PictureHandler,
    "/healthz": HealthzHandler,
    "/metrics": MetricsHandler,
}


def application(site: Site) -> Application:
    """All handlers, for this site. Nothing is logged per request."""
    arguments = {"site": site}
    return Application(
        [(path, handler, arguments) for path, handler in HANDLERS.items()],
        default_handler_class=NotFound,
        default_handler_args=arguments,
        log_function=lambda _handler: None,
    )
