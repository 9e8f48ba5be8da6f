"""The part of `server_settings` that says what there is for people to use: mail, warnings, what pages show."""

from __future__ import annotations

from rostra.api.server_shapes import FurtherAbilities
from rostra.config.sections import Settings


def mail_configured(settings: Settings) -> bool:
    """Return whether mail leaves this server."""
    return settings.server.email_provider != "none"


def further(settings: Settings) -> FurtherAbilities:
    """Return the flags that depend on nothing but the configuration."""
    mails = mail_configured(settings)
    return {
        "default_r_environment_management": False,
        "mail_all": mails,
        "mail_configured": mails,
        "self_test_enabled": True,
        "permission_request": False,
        "viewers_can_request_privileges": False,
        "prohibited_usernames": [],
        "metrics_rrd_enabled": False,
        "metrics_instrumentation": True,
        "tableau_integration_enabled": False,
        "jump_start_enabled": False,
        "labs_enabled": False,
        "whats_new_enabled": False,
        "customized_landing": False,
        "default_content_list_view": "compact",
        "public_warning": "",
        "logged_in_warning": "",
        "license_expiration_ui_warning": False,
        "end_of_support_ui_warning": False,
        "deprecated_settings": [],
        "deprecated_settings_ui_warning": False,
        "hide_viewer_documentation": False,
        "server_settings_toggler": False,
        "new_parameterization_enabled": True,
        "use_window_location": False,
    }
