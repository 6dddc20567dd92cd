"""A mail server for the tests: aiosmtpd on a free port of the loopback. What it answers depends on the receiver's address, and what it took it
prints as JSON, one letter a line. The first line is its port.

usage: server.py starttls|tls|plain CERTIFICATE KEY [auth=MECHANISM] [require]
"""
import asyncio, hashlib, hmac, json, ssl, sys

from aiosmtpd.smtp import SMTP, AuthResult, MISSING

USER, PASSWORD = b"switchboard", b"hush:hush@"


def say(**what):
    print(json.dumps(what), flush=True)


def secure(server):
    return server.transport.get_extra_info("ssl_object") is not None


def authenticator(server, session, envelope, mechanism, data):
    good = data.login == USER and data.password == PASSWORD
    say(auth=mechanism, good=good, tls=secure(server))
    return AuthResult(success=good, handled=good)


class Handler:
    async def auth_CRAM__MD5(self, server, args):
        challenge = b"<1@switchboard.test>"
        answer = await server.challenge_auth(challenge)
        if answer is MISSING:
            return AuthResult(success=False, handled=True)
        name, digest = bytes(answer).rsplit(b" ", 1)
        good = name == USER and digest.decode() == hmac.new(PASSWORD, challenge, hashlib.md5).hexdigest()
        say(auth="CRAM-MD5", good=good, tls=secure(server))
        return AuthResult(success=good, handled=good, auth_data=name)

    async def handle_MAIL(self, server, session, envelope, address, options):
        if address.startswith("stranger"):
            return "550 5.7.1 <%s> may not send here" % address
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        what = address.split("@")[0]
        answers = {
            "unknown": "550 5.1.1 <%s>: there is no such user" % address,
            "full": "452 4.2.2 <%s>: mailbox full" % address,
            "closing": "421 4.3.2 closing down",
            "locked": "530 5.7.0 authentication required",
        }
        if what in answers:
            return answers[what]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        what = envelope.rcpt_tos[0].split("@")[0]
        if what == "spam":
            return "554 5.7.1 no such letters here"
        if what == "later":
            return "451 4.7.1 greylisted"
        say(tls=secure(server), sender=envelope.mail_from, to=envelope.rcpt_tos, letter=envelope.original_content.decode())
        return "250 2.0.0 taken"


async def main():
    mode, certificate, key = sys.argv[1:4]
    more = sys.argv[4:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    keep = [w[5:] for w in more if w.startswith("auth=")]
    exclude = [m for m in ("LOGIN", "PLAIN", "CRAM-MD5") if keep and m not in keep] if keep else ["CRAM-MD5"]

    def smtp():
        return SMTP(Handler(), hostname="switchboard.test", tls_context=context if mode == "starttls" else None, enable_SMTPUTF8=True,
                    require_starttls=False, authenticator=authenticator, auth_required="require" in more,
                    auth_require_tls=mode != "plain" and "loose" not in more, auth_exclude_mechanism=exclude)

    server = await asyncio.get_running_loop().create_server(smtp, "127.0.0.1", 0, ssl=context if mode == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
