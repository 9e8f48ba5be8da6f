"""Settings of compatible products that Rostra does not have, so that an existing file can be pointed at.

They are named in a note instead of being refused. A setting that is in neither place is a mistake and is refused.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Whole sections, with or without labels.
_SECTIONS = _words("""
    https httpredirect cors password pam ldap oauth2 saml proxyauth scim sqlite logging metrics
    opentelemetry otlpendpoint chronicle jobs tensorflow node nodejs rpackagerepository packages
    branding mount licensing tableauintegration launcher kubernetes executionenvironments
""")

# Single settings of sections that Rostra has.
_SETTINGS: dict[str, frozenset[str]] = {
    section: _words(names)
    for section, names in {
        "server": """
            emailto landingdir publicwarning loggedinwarning
            frameoptionscontent frameoptionsdashboard defaultcontentlistview proxyheaderlogging
            enablesitemap allowconfirmedusers jumpstartenabled databaseemailsettings rootredirect hideversion
            customheader viewerkiosk tempdir hostname
        """,
        "http": "nowarning forcesecure externallysecure",
        "authentication": "basicauth insecuredefaultuserapikey apikeybcryptcost name notice challengeresponseenabled",
        "authorization": """
            defaultuserrole publisherscanmanagevanities userrolegroupmapping viewerrolemapping publisherrolemapping
            administratorrolemapping
        """,
        "database": "dir seedusers",
        "postgres": """
            instrumentationurl maxopenconnections maxidleconnections connectionmaxlifetime instrumentationpassword
        """,
        "applications": """
            runasenabled runascurrentuser runascurrentusergroup sharedrunasuser sharedrunasunixgroup
            oauthintegrationsenabled renvironmentreaping
            packageauditingenabled notifyonshare supervisor tempmounting homemounting
            mostpermissiveaccesstype prohibitedenv defaultserverenv shinyerrorsanitization
        """,
        "python": "fromsource",
        "r": "environmentmanagement positpackagemanagerurlrewriting repository",
        "scheduler": "cpurequest cpulimit memoryrequest memorylimit maxcpurequest maxcpulimit maxmemorylimit",
    }.items()
}


def known_elsewhere(section: str, name: str) -> bool:
    """Return whether ``[section] name`` (case ignored) exists in a compatible product but not here."""
    section, name = section.lower(), name.lower()
    return section in _SECTIONS or name in _SETTINGS.get(section, ())
