"""Names that a user can give to what is drawn and compiled, and that want to be more than names."""

from __future__ import annotations

RUNS = "RAN"  # what a name that got to run would leave behind, as a word of its own
HOSTILE = {
    "C comment": '*/ __attribute__((constructor)) void RAN(void) { puts("RAN"); } /*',
    "C line": "\\\n*/ int RAN = 1; /*",
    "trigraph": "*??/\n/ int RAN; /*",
    "Python line": "x\nraise SystemExit('RAN')",
    "Python text": "'); raise SystemExit('RAN'); ('",
    "Python triple": '"""\nraise SystemExit("RAN")\n"""',
    "format": "{0} %s ${RAN} {",
    "empty": "",
    "blank": " \t ",
    "NUL": "a\0b",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x85",
    "lines": "a\nb\r\nc\u2028d\u2029e",
    "surrogate": "a\ud800b\udfff",
    "no character": "a\ufffe\uffff",
    "beyond": "𝔘ₜ👩‍👩‍👧\u202eabc\u0301",
    "quotes": "\"'`´“”",
    "backslash": "\\",
    "backslashes": "a\\\\\\",
    "escapes": "\\N \\G \\n \\x41 \\u0041",
    "script": "<script>RAN()</script>",
    "end of script": "</script><script>RAN()</script>",
    "comment": "<!-- --> ]]> <![CDATA[",
    "attribute": '" onload="RAN()" x=\'',
    "entities": "&lt; &#0; &RAN; &",
    "DOT": 'a"]; RAN [label="x',
    "DOT table": "<<table><tr><td>RAN</td></tr></table>>",
    "TeX": "\\input{RAN} $ % # _ ^ & ~ { }",
    "TeX end": "}\\end{tikzpicture}\\RAN{",
    "Mermaid": '"]:::RAN\n  end\n click n0 RAN "',
    "link": "javascript:RAN()",
    "path": "../../RAN",
    "long": "x" * 1_000_000,
}
