//! What LaTeX becomes, case by case, and that no text at all makes the converter fail.

use proptest::prelude::*;

use super::convert;

#[test]
fn text_becomes_markdown() {
    let cases = [
        ("Plain text.", "Plain text."),
        ("\\textbf{bold} and \\emph{thin}", "**bold** and *thin*"),
        ("\\emph{a \\emph{b} c \\textbf{d}}", "_a *b* c **d**_"),
        ("{\\bf bold} and {\\it thin}, {plain}", "**bold** and *thin*, plain"),
        ("\\textbf{ wide }x", " **wide** x"),
        ("\\texttt{a_b|c} \\verb|x{}%|", "`a_b|c` `x{}%`"),
        ("\\texttt{[+-]d$x$}", "`[+-]d`$x$"),
        ("``Hello'' and `x'", "“Hello” and ‘x’"),
        ("letters `a-z`.", "letters `a-z`."),
        ("a -- b --- c-d", "a – b — c-d"),
        ("i.e.,~a\\ldots{} b\\dots", "i.e.,\u{a0}a… b…"),
        ("100\\% \\& \\# \\_ \\$ \\{x\\}", "100% \\& \\# \\_ \\$ {x}"),
        ("a % a remark\n  b", "a b"),
        ("a% a remark\n\nb", "a\n\nb"),
        ("a\\footnote{See \\emph{b}.} c", "a (See *b*.) c"),
        ("\\href{https://x.org/a%20b}{here}", "[here](<https://x.org/a%20b>)"),
        ("\\url{https://x.org/a_b}", "[https://x.org/a\\_b](<https://x.org/a_b>)"),
        ("\\href{javascript:x}{here}", "here"),
        ("a \\unknown{b} c \\nothing d", "a b c d"),
        ("5 < 6 <b>", "5 \\< 6 \\<b\\>"),
        ("2 * 3 * 4 [x]", "2 \\* 3 \\* 4 \\[x\\]"),
        ("# no head\n- no item\n1. none", "\\# no head\n\\- no item\n1\\. none"),
        ("    no code", "no code"),
        ("one\\\\two", "one  \ntwo"),
        ("na\\\"{\\i}ve \\'el\\`eve \\AA", "naïve élève Å"),
        ("\\noindent\nText", "Text"),
        ("\\label{x}\\vspace{2cm}Text", "Text"),
        ("\\newcommand{\\most}{10^5}$n \\le \\most$", "$n \\le {10^5}$"),
    ];
    for (source, expected) in cases {
        assert_eq!(convert(source).markdown, expected, "{source}");
    }
}

#[test]
fn math_is_left_as_it_is() {
    let cases = [
        ("$x_1 * y$", "$x_1 * y$"),
        ("\\(N\\) (\\(1 \\le N\\))", "$N$ ($1 \\le N$)"),
        ("$ a\n b $", "$a b$"),
        ("a $$x^2$$ b", "a\n\n$$x^2$$\n\nb"),
        ("\\[ x < y \\]", "$$x < y$$"),
        ("\\begin{equation}\nx\n\\end{equation}", "$$x$$"),
        ("\\begin{align*}a&=b\\\\c\\end{align*}", "$$\\begin{aligned}a&=b\\\\c\\end{aligned}$$"),
        ("$a \\text{ if $b$ holds}$", "$a \\text{ if }b\\text{ holds}$"),
        ("costs \\$5 and $x$", "costs \\$5 and $x$"),
        ("a lone $ sign", "a lone \\$ sign"),
        ("$\\{x\\}$", "$\\{x\\}$"),
    ];
    for (source, expected) in cases {
        assert_eq!(convert(source).markdown, expected, "{source}");
    }
}

#[test]
fn blocks_become_markdown() {
    let cases = [
        ("a\n\\section*{Input}\nb", "a\n\n## Input\n\nb"),
        ("\\subsection{One \\emph{x}}", "### One *x*"),
        ("\\begin{itemize}\\item a\n\\item b\n\\end{itemize}", "- a\n- b"),
        ("\\begin{itemize}\\item a \n\n \\item b \\end{itemize}", "- a\n- b"),
        ("\\begin{enumerate}\n\\item a\n\n b\n\\item c\\end{enumerate}", "1. a\n\n   b\n2. c"),
        (
            "\\begin{itemize}\\item a\\begin{itemize}\\item b\\end{itemize}\\item[x] c\\end{itemize}",
            "- a\n\n  - b\n- **x** c",
        ),
        ("\\begin{center}\nx\n\\end{center}", "x"),
        ("\\begin{quote}x\n\ny\\end{quote}", "> x\n> \n> y"),
        ("\\begin{verbatim}\n 5 % 3\n*x*\n\\end{verbatim}", "```\n 5 % 3\n*x*\n```"),
        ("\\begin{comment}x\\end{comment}y", "y"),
        ("\\begin{Input}x\\end{Input}", "## Input\n\nx"),
        (
            "\\begin{figure}[h]\\includegraphics[width=3cm]{a b.png}\\caption{C}\\end{figure}",
            "![](<a b.png>)\n\n*C*",
        ),
        (
            "\\illustration{0.5}{crane}{By \\href{https://x.org}{S}}x",
            "![](<crane>)\n\n*By [S](<https://x.org>)*\n\nx",
        ),
        ("\\begin{foo}x\\end{foo}", "x"),
        ("\\begin{itemize}never closed", ""),
    ];
    for (source, expected) in cases {
        assert_eq!(convert(source).markdown, expected, "{source}");
    }
}

#[test]
fn a_table_has_its_head_and_its_columns() {
    let table = "\\begin{tabular}{| l | c | r |}\n\\hline\nA & B & C \\\\ \\hline\n$1|2$ & \
                 \\texttt{x|y} & a|b \\\\\n\\multicolumn{2}{c}{wide} & \\& \\\\ \\hline\n\\end{tabular}";
    let expected =
        "| A | B | C |\n| --- | :-: | --: |\n| $1\\vert 2$ | `x\\|y` | a\\|b |\n| wide |  | \\& |";
    assert_eq!(convert(table).markdown, expected);
}

#[test]
fn the_name_is_taken_out_of_the_text() {
    let converted = convert("\\problemname{A \\emph{B}}\n\nText");
    assert_eq!(converted.name.as_deref(), Some("A *B*"));
    assert_eq!(converted.markdown, "Text");
    assert_eq!(convert("\\problemname{}").name, None);
}

#[test]
fn a_drawing_is_a_repair() {
    let converted = convert("a \\begin{tikzpicture}\\draw x;\\end{tikzpicture} b");
    assert_eq!(converted.markdown, "a\n\nb");
    assert_eq!(converted.repairs.len(), 1);
}

#[test]
fn deep_and_long_texts_take_no_long_time() {
    for piece in
        ["{", "\\begin{a}", "$", "${", "\\textbf{", "`", "\\[", "[", "\\item", "\\\\[", "&"]
    {
        convert(&piece.repeat(10_000));
    }
    convert("\\newcommand{\\a}{xx}\\newcommand{\\b}{\\a\\a}\\newcommand{\\c}{\\b\\b}\\c");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(source in any::<String>()) {
        convert(&source);
    }

    #[test]
    fn no_latex_makes_it_panic(
        source in r"(\\[a-z]{1,4}|\\begin\{(itemize|tabular|verbatim|align|x)\}|\\end\{(itemize|tabular|x)\}|\\item|\\\\|\\(verb|texttt|textbf|href|multicolumn|newcommand|def|illustration|section)|[{}$&%~`'|\[\]\n äβ-]|[a-z]){0,80}",
    ) {
        convert(&source);
    }
}
