r"""Credentials that a transcript does not show: `\{hidden:plain}` is a question, which the reporter answers.

Nothing is played before that: right credentials and wrong ones are two different reports.
"""

#: The user of fixtures/mailboxes/ whose credentials stand in for real ones.
USER = "alice"

#: What is sent -> what to write where it was right, and where it was wrong.
STAND_INS = {
    "plain": (rf"\{{plain:{USER}}}", rf"\{{base64:\0{USER}\0wrong}}"),
    "user": (rf"\{{user:{USER}}}", r"\{base64:nobody}"),
    "password": (rf"\{{password:{USER}}}", r"\{base64:wrong}"),
    "cram-md5": (rf"\{{cram-md5:{USER}}}", rf"\{{base64:{USER} {'0' * 32}}}"),
    "secret": (r"\{base64:secret}", r"\{base64:wrong}"),
}

#: Method -> what its client sends, in order.
METHODS = {"PLAIN": ("plain",), "LOGIN": ("user", "password"), "CRAM-MD5": ("cram-md5",)}


def question(word: str) -> str:
    """What to write in the place of hidden credentials. Raises ValueError for an unknown word."""
    if word not in STAND_INS:
        raise ValueError(rf"there is no \{{hidden:{word}}}; known: {', '.join(STAND_INS)}")
    right, wrong = STAND_INS[word]
    asked = "which credentials were sent? The transcript hides them"
    return f"{asked}: write {right} for right ones, {wrong} for wrong ones"
