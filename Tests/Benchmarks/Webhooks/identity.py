"""The signed internal identity: v1.<base64url JSON>.<base64url HMAC-SHA256>, as Shared/ServiceKit/Identity makes it."""
import base64, hashlib, hmac


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Signer:
    """Signs calls of a service to webhooks."""

    def __init__(self, caller, secret):
        self.caller = caller
        seed = hmac.digest(bytes(32), secret.encode(), "sha256")
        self.key = hmac.digest(seed, f"switchboard identity {caller}>webhooks".encode() + b"\x01", "sha256")

    def sign(self, method, path, body, expires, organization=None):
        """- organization: the one whose administrator calls; without it the service calls by itself."""
        digest = base64url(hashlib.sha256(body).digest()).decode()
        subject = f',"sub":{{"org":{organization},"usr":7,"rol":"admin"}}' if organization else ""
        claims = f'{{"iss":"{self.caller}","aud":"webhooks","exp":{int(expires)},"rid":"bench","body":"{digest}"{subject}}}'
        header = b"v1." + base64url(claims.encode())
        mac = hmac.digest(self.key, header + f"\n{method}\n{path}".encode(), "sha256")
        return (header + b"." + base64url(mac)).decode()
