"""Run by the OpenStack environment's Python: Keystone's token provider over a site's folders.

    python keystone_tokens.py fernet REPOSITORY | jws PRIVATE_FOLDER PUBLIC_FOLDER

Lines in, lines out: ``issue`` -> the token; ``validate TOKEN`` -> ``ok`` or ``refused REASON``.
"""

import datetime
import sys

import keystone.conf
from keystone.common import utils
from keystone.models import token_model

CONF = keystone.conf.CONF


def provider(kind, *folders):
    keystone.conf.configure()
    CONF([], project="keystone", default_config_files=[])
    if kind == "fernet":
        from keystone.token.providers import fernet

        CONF.set_override("key_repository", folders[0], "fernet_tokens")
        return fernet.Provider()
    from keystone.token.providers import jws

    CONF.set_override("jws_private_key_repository", folders[0], "jwt_tokens")
    CONF.set_override("jws_public_key_repository", folders[1], "jwt_tokens")
    return jws.Provider()


def model():
    token = token_model.TokenModel()
    token.user_id, token.project_id = "a" * 32, "b" * 32
    token.methods, token.audit_id = ["password"], "c" * 22
    end = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(hours=1)
    token.expires_at = utils.isotime(end, subsecond=True)
    return token


def main():
    made = provider(*sys.argv[1:])
    print("ready", flush=True)
    for line in sys.stdin:
        do, _, token = line.strip().partition(" ")
        try:
            if do == "issue":
                found = made.generate_id_and_issued_at(model())[0]
                print(found if isinstance(found, str) else found.decode(), flush=True)
            else:
                made.validate_token(token)
                print("ok", flush=True)
        except Exception as error:
            print(f"refused {type(error).__name__}", flush=True)


main()
