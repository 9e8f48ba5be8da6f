"""What can be wrong with items, bundles, access and variables.

``number`` is what publishing clients know; ``code`` is ours. Numbers come from the reference of the wire.
"""

from __future__ import annotations

from rostra.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge, Unavailable


def shown(text: object, most: int = 120) -> str:
    """Return hostile text as one short, printable, quoted line."""
    plain = ascii(text if isinstance(text, str) else str(text)[: most * 4])
    return plain if len(plain) <= most else plain[: most - 1] + "…"


# ---- bundles


class InvalidManifest(Invalid):
    """``key`` is the dotted path of the manifest's key, empty when the file itself is at fault."""

    code = "invalid-manifest"
    number = 38

    def __init__(self, key: str, wrong: str, *, hint: str = "") -> None:
        self.key = key
        super().__init__(
            f"manifest.json: {key}: {wrong}" if key else f"manifest.json {wrong}",
            hint=hint or "Write the manifest again with your publishing client, or correct it by hand.",
        )


class BundleRefused(Invalid):
    """``member`` is the name inside the archive as it was sent (None: the archive itself), ``rule`` what it breaks."""

    code = "bundle-refused"
    number = 135

    def __init__(self, rule: str, *, member: str | bytes | None = None, hint: str = "") -> None:
        self.rule = rule
        self.member = member
        if isinstance(member, bytes):
            member = member[:1000].decode("utf-8", "backslashreplace")
        where = f"the bundle's member {shown(member)}" if member is not None else "the bundle"
        super().__init__(
            f"{where} is refused: {rule}",
            hint=hint or "Publish again from the project's folder; publishing clients make clean archives.",
        )


class BundleTooLarge(TooLarge):
    code = "bundle-too-large"
    number = 125

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(
            f"the bundle is larger than the {limit_bytes} bytes this server accepts",
            hint="Leave data out of the bundle, or ask an administrator to raise Applications.MaxBundleSize.",
        )


class ChecksumMismatch(Invalid):
    """``what`` arrived with another MD5 than was announced."""

    code = "checksum-mismatch"
    number = 104

    def __init__(self, what: str, *, expected: str, found: str, hint: str) -> None:
        self.what, self.expected, self.found = what, expected, found
        super().__init__(f"{what} has the MD5 {found}, but {shown(expected, 60)} was announced", hint=hint)


class BundleNotWritten(Unavailable):
    code = "bundle-not-written"
    number = 134

    def __init__(self, why: str) -> None:
        super().__init__(f"the bundle could not be stored: {why}", hint="Make room on the server's disk and try again.")


class BundleFileMissing(NotFound):
    code = "bundle-file-missing"
    number = 278

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the archive {name} is gone from the server's disk", hint="Publish the content again.")


class BundleNotFound(NotFound):
    code = "bundle-not-found"

    def __init__(self, bundle_id: object) -> None:
        super().__init__(f"this content has no bundle {shown(bundle_id)}", hint="List its bundles.")


class BundleIsLive(Invalid):
    code = "bundle-is-live"
    number = 75

    def __init__(self, bundle_id: int) -> None:
        self.bundle_id = bundle_id
        super().__init__(
            f"bundle {bundle_id} is what visitors get, so it cannot be deleted", hint="Activate another bundle first."
        )


class InvalidSource(Invalid):
    """What the uploader said of the bundle's source cannot be kept."""

    code = "invalid-bundle-metadata"
    number = 25

    def __init__(self, wrong: str) -> None:
        super().__init__(f"the bundle's metadata {wrong}", hint="Send one flat JSON object of short texts.")


# ---- items


class ItemNotFound(NotFound):
    code = "item-not-found"

    def __init__(self, named: object) -> None:
        super().__init__(
            f"there is no content {shown(named)}", hint="It may have been deleted; publish it as new content."
        )


class InvalidName(Invalid):
    code = "invalid-name"
    number = 5

    def __init__(self, name: object) -> None:
        super().__init__(
            f"{shown(name)} is not a name for content",
            hint="Use 3 to 80 letters, digits, dots, hyphens and underscores, or leave it out.",
        )


class NameTaken(Conflict):
    code = "name-taken"
    number = 26

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"the owner has other content named {shown(name)}",
            hint="Publish to that content, or choose another name.",
        )


class InvalidTitle(Invalid):
    code = "invalid-title"
    number = 122

    def __init__(self) -> None:
        super().__init__("the title is not usable", hint="Use 3 to 1024 characters, or none at all.")


class InvalidDescription(Invalid):
    code = "invalid-description"
    number = 123

    def __init__(self) -> None:
        super().__init__("the description is not usable", hint="Use at most 4096 characters.")


class InvalidLockedMessage(Invalid):
    code = "invalid-locked-message"
    number = 224

    def __init__(self) -> None:
        super().__init__("the message of locked content is not usable", hint="Use at most 1024 characters.")


class UnknownAccessType(Invalid):
    code = "unknown-access-type"
    number = 117

    def __init__(self, given: object) -> None:
        super().__init__(f"{shown(given)} is not an access type", hint="Use all, logged_in or acl.")


class UnknownField(Invalid):
    code = "unknown-field"
    number = 121

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"content has no field {shown(name)} that can be changed", hint="Leave it out.")


class InvalidField(Invalid):
    """A field without a number of its own has a value of the wrong kind."""

    code = "invalid-field"
    number = 25

    def __init__(self, name: str, expected: str) -> None:
        self.name = name
        super().__init__(f"{name} is not usable", hint=f"Send {expected}.")


class KindChanged(Forbidden):
    code = "kind-changed"
    number = 48

    def __init__(self, was: str, wanted: str) -> None:
        self.was, self.wanted = was, wanted
        super().__init__(
            f"this content is {was} since its first deploy and cannot become {shown(wanted)}",
            hint="Publish it as new content (rsconnect deploy ... --new).",
        )


class CategoryChanged(Forbidden):
    code = "category-changed"
    number = 110

    def __init__(self) -> None:
        super().__init__("the category is fixed at the first deploy", hint="Publish it as new content.")


class ContentLocked(Forbidden):
    """No new bundle is taken while content is locked."""

    code = "content-locked"
    number = 222

    def __init__(self) -> None:
        super().__init__("this content is locked", hint="Unlock it first (its owner or an administrator can).")


class InvalidOwner(Forbidden):
    code = "invalid-owner"

    def __init__(self, why: str) -> None:
        super().__init__(f"that person cannot own content: {why}", hint="Choose a publisher or an administrator.")


# ---- permissions


class InvalidCollaborator(Forbidden):
    code = "invalid-collaborator"
    number = 33

    def __init__(self) -> None:
        super().__init__(
            "a viewer cannot become a collaborator", hint="Grant viewing, or have the account made a publisher."
        )


class OwnerNeedsNoPermission(Invalid):
    code = "owner-needs-no-permission"
    number = 34

    def __init__(self) -> None:
        super().__init__("the owner has every right already", hint="To give up ownership, transfer it.")


class InvalidPermissionRole(Invalid):
    code = "invalid-permission-role"
    number = 25

    def __init__(self, given: object) -> None:
        super().__init__(f"{shown(given)} is not a role on content", hint="Use viewer or owner.")


class InvalidPrincipalType(Invalid):
    code = "invalid-principal-type"
    number = 152

    def __init__(self, given: object) -> None:
        super().__init__(f"{shown(given)} cannot be given permissions", hint="Use the principal type user or group.")


class PrincipalNotFound(NotFound):
    code = "principal-not-found"
    number = 9

    def __init__(self, guid: object) -> None:
        super().__init__(f"there is no user {shown(guid)}", hint="Look the guid up in the list of users.")


class GroupNotFound(NotFound):
    code = "group-not-found"
    number = 153

    def __init__(self, guid: object) -> None:
        super().__init__(f"there is no group {shown(guid)}", hint="Look the guid up in the list of groups.")


class PermissionNotFound(NotFound):
    code = "permission-not-found"

    def __init__(self, permission_id: object) -> None:
        super().__init__(f"this content has no permission {shown(permission_id)}", hint="List its permissions.")


# ---- variables


class InvalidVariable(Invalid):
    code = "invalid-variable"
    number = 25

    def __init__(self, name: object, wrong: str) -> None:
        super().__init__(
            f"the variable {shown(name)} {wrong}",
            hint="Names: letters, digits, _ . and -, not beginning with a digit. Values: up to 100,000 bytes of text.",
        )


class EmptyVariableName(Invalid):
    code = "empty-variable-name"
    number = 266

    def __init__(self) -> None:
        super().__init__("a variable has no name", hint="Give each variable a name.")


class ProhibitedVariable(Conflict):
    code = "prohibited-variable"
    number = 108

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the variable {shown(name)} is set by the server", hint="Choose another name.")


class VariablesChanged(Conflict):
    """They were read before somebody else changed them."""

    code = "variables-changed"
    number = 106

    def __init__(self) -> None:
        super().__init__(
            "the environment variables were changed meanwhile", hint="Read them again, then repeat your change."
        )


class DuplicateVariable(Conflict):
    code = "duplicate-variable"
    number = 149

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the variable {shown(name)} is given twice", hint="Send each name once.")


class VariablesLocked(Unavailable):
    """The key that opens them is missing or another one."""

    code = "variables-locked"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"stored variables cannot be read: {why}",
            hint="Put back secrets/variables.key from a backup, or set the variables again.",
        )
