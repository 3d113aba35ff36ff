#!/usr/bin/env python3
"""Writes tag-patterns.json: patterns and texts with what Python's `re` says of them.

The reference searches `tag_regex` with `re.search`; TagPatternTests holds TagPattern against this table. Run it again
after adding patterns: `python3 Tests/Fixtures/make-tag-patterns.py`. Patterns that are generated come from a fixed
seed. Results are those of str patterns over ASCII texts with re.ASCII off, as the reference compiles them.

A case is [pattern, [[text, found], ...]]; for a pattern that Python refuses the second element is null.
"""
import json
import os
import random
import re
import warnings

AGENTS = [
    "User-Agent: claude-code/1.2.3 (linux; x64)", "User-Agent: curl/8.5.0", "User-Agent: OpenAI/Python 1.40.0",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "User-Agent: ", "", "a", "b", "ab", "aab", "abab",
    "aaaa", "abc", "ABC", "a.c", "a-b_c", "x1y22z333", " a ", "a b", "(a)", "[a]", "{2}", "a{2}", "\\", "^a$", "a|b",
    "foo bar", "foobar", "barfoo foo", "0", "9", "_", "-", "]", "a]", "\t", "a\tb", "AbC aBc",
]

WRITTEN = [
    # What people write.
    r"^User-Agent: claude-code", r"claude-code/\d+\.\d+", r"^User-Agent: (curl|wget)/", r"(?i)openai/python",
    r"Mozilla/\d+(\.\d+)* \(.*Linux", r"User-Agent: $", r"^User-Agent: .+$", r"[Cc]laude", r"x86_64|arm64", r"python",
    # Literals, classes, escapes.
    r"", r"a", r"abc", r"a.c", r"\.", r"a\.c", r"[abc]", r"[^abc]", r"[a-c]+", r"[]a]", r"[^]a]", r"[a-]", r"[-a]",
    r"[a\-b]", r"[\]]", r"[\\]", r"[\d]", r"[\w-]", r"[^\s]", r"[\d\-x]", r"[a-c-e]", r"[+*?.()|{}]", r"[[]", r"[a[]",
    r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\t", r"\n", r"\x61", r"\x5c", r"\\", r"\(", r"\[a\]", r"\{2\}", r"\-",
    r"\_", r"\ ", r"\/", r"\#", r"\&", r"\~", r"[\x61-\x63]", r"[\t ]", r"[\x5d]",
    # Repetitions.
    r"a*", r"a+", r"a?", r"a*b", r"a+b", r"a?b", r"a{2}", r"a{2,}", r"a{,2}b", r"a{1,2}", r"a{0}", r"a{0,0}b", r"(ab)+",
    r"(ab){2}", r"(a|b)*c", r"a*?b", r"a+?", r"a??b", r"a{1,2}?b", r"[ab]{3}", r"\d{3}", r"x\d+y", r"(a*)*", r"(a*)+",
    r"(a+)+b", r"(a|a)*", r"(a|ab)(c|bcd)?", r"(?:a?){3}b", r"(){3}a", r"a{2", r"a{", r"a{x}", r"a{2,x}", r"a{,}", r"{",
    r"}", r"]", r"a}", r"x{2}{3}", r"x{2}?", r"a{2}*", r"a**", r"a*+", r"a?+", r"a++", r"a{2}+", r"a{2,1}", r"*a", r"+a",
    r"?a", r"{2}", r"{2}a", r"a|*b", r"(*a)", r"^*a", r"$*", r"\b*", r"(?:)*a", r"(^)*a", r"(a|)+b",
    # Groups and choices.
    r"(a)", r"(?:a)", r"(?P<n>a)b", r"((a)(b))", r"a|b", r"a|", r"|a", r"|", r"(|a)b", r"(a|b|c)+", r"^(a|b)$", r"ab|ac",
    r"(", r")", r"(a", r"a)", r"(?", r"(?a", r"(?P<", r"(?P<n", r"(?P<>a)", r"(?P<1n>a)", r"(?P<n>a)(?P<n>b)", r"(?P=n)",
    r"(?P<n>a)(?P=n)", r"(?P>n)", r"(?#x)a", r"()", r"(?:)", r"[", r"[]", r"[^]", r"[a", r"[b-a]", r"[a-\d]", r"[\d-a]",
    # Anchors.
    r"^a", r"a$", r"^$", r"^", r"$", r"\Aa", r"a\Z", r"\A\Z", r"\bfoo\b", r"\bfoo", r"foo\b", r"\Bfoo", r"foo\B", r"\b",
    r"\B", r"a^b", r"a$b", r"(^a|b$)", r"^^a", r"a$$", r"(?:^|x)a", r"[\b]", r"[^^]", r"[$]",
    # Flags, and what cannot be searched in linear time or is not of ASCII.
    r"(?i)abc", r"(?i)[a-c]+", r"(?i)[^a]", r"(?i)\x41", r"(?i)", r"a(?i)b", r"(?i:a)", r"(?x)a b", r"(?s).", r"(?m)^a",
    r"(?=a)", r"(?!a)", r"(?<=a)b", r"(?<!a)b", r"(?>a)", r"(a)\1", r"\1", r"(?(1)a|b)", r"\Z", r"\z", r"\q", r"\8", r"\0",
    r"\x", r"\x6", r"\xg1", r"\u0061", r"\N{DIGIT ONE}", "\\", r"[\q]", r"[\x]", r"[\A]",
]


def generated(seed, count):
    """Random patterns of the syntax that both know, and some that are broken."""
    rng = random.Random(seed)

    def pattern(depth):
        kind = rng.randrange(10 if depth > 0 else 5)
        if kind < 3:
            return rng.choice("abcABC012. _-")
        if kind == 3:
            return rng.choice([r"\d", r"\w", r"\W", r"\s", r"\S", r"\b", r"\B", r"\.", r"\x62", "^", "$"])
        if kind == 4:
            return rng.choice(["[abc]", "[^ab]", "[a-c0-2]", r"[\w.]", r"[^\s-]", "[]x]"])
        if kind == 5:
            return pattern(depth - 1) + rng.choice(["*", "+", "?", "{2}", "{1,2}", "{,2}", "*?", "+?", "??"])
        if kind == 6:
            return "(" + pattern(depth - 1) + "|" + pattern(depth - 1) + ")"
        if kind == 7:
            return rng.choice(["(", "(?:"]) + pattern(depth - 1) + ")" + rng.choice(["", "*", "+", "?"])
        return pattern(depth - 1) + pattern(depth - 1)

    def text():
        return "".join(rng.choice("aabbccABC012. _-\t") for _ in range(rng.randrange(8)))

    for index in range(count):
        yield ("(?i)" if index % 7 == 0 else "") + pattern(4), [text() for _ in range(6)]


def answer(pattern, texts):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(pattern)
    except re.error:
        return None
    # \B and the empty text: Python changed its mind in 3.14, and no User-Agent line is empty.
    return [[text, compiled.search(text) is not None] for text in texts if text or r"\B" not in pattern]


def main():
    cases = [[pattern, answer(pattern, AGENTS)] for pattern in WRITTEN]
    cases += [[pattern, answer(pattern, texts)] for pattern, texts in generated(20, 1200)]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tag-patterns.json")
    with open(path, "w", encoding="ascii") as file:
        file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    print(f"{len(cases)} patterns, {sum(len(case[1] or []) for case in cases)} texts, "
          f"{sum(case[1] is None for case in cases)} refused")


main()
