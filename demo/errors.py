"""What can go wrong while the shop answers a request; each error knows the status it is answered with."""

from __future__ import annotations

from faultline.errors import FaultlineError


class ShopError(FaultlineError):
    """Base of the errors that end a request with `status`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Refused(ShopError):
    """The customer asked for something that cannot be had (4xx); nothing is broken."""


class CredentialsRejected(ShopError):
    """A caller did not show the credentials that this service expects now (401)."""

    def __init__(self, text: str) -> None:
        super().__init__(401, text)


class DependencyError(ShopError):
    """Another service is unreachable or rejects us (502), is unavailable (503) or too slow (504)."""

    def during(self, what: str) -> DependencyError:
        """Return the same error with what it interrupted in front."""
        return DependencyError(self.status, f"{what}: {self}")


class StoreUnavailable(ShopError):
    """The service's own store does not do what it should (503)."""

    def __init__(self, text: str) -> None:
        super().__init__(503, text)
