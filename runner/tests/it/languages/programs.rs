//! A few programs in each language: one that works, and ones that fail in each way.

use domain::content::Language;

/// The programs of one language.
pub(super) struct Programs {
    pub(super) language: Language,
    /// Reads two numbers and prints their sum.
    pub(super) sum: &'static str,
    /// Is no program of this language.
    pub(super) broken: &'static str,
    /// Never ends.
    pub(super) endless: &'static str,
    /// Ends with another exit code than 0.
    pub(super) failing: &'static str,
    /// Wants more memory than there is, or recurses for ever where all else is awkward.
    pub(super) greedy: &'static str,
}

/// What an input of two numbers is for a language that reads none.
pub(super) const SQL_INPUT: &str = "create table n(a, b); insert into n values(3, 4);\n";

pub(super) const PROGRAMS: [Programs; Language::ALL.len()] = [
    Programs {
        language: Language::Python,
        sum: "a, b = map(int, input().split())\nprint(a + b)",
        broken: "print(",
        endless: "while True: pass",
        failing: "print(1 // 0)",
        greedy: "x = []\nwhile True: x.append(bytearray(1 << 20))",
    },
    Programs {
        language: Language::C,
        sum: "#include <stdio.h>\n\
              int main(){int a,b;scanf(\"%d %d\",&a,&b);printf(\"%d\\n\",a+b);}",
        broken: "int main( { }",
        endless: "int main(void) { for (;;); }",
        failing: "int main(void) { return 3; }",
        greedy: "#include <stdlib.h>\n#include <string.h>\n\
                 int main(void) { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }",
    },
    Programs {
        language: Language::Cpp,
        sum: "#include <bits/stdc++.h>\n\
              int main(){int a,b;std::cin>>a>>b;std::cout<<a+b<<std::endl;}",
        broken: "int main() { return x; }",
        endless: "int main() { for (;;) asm(\"\"); }",
        failing: "#include <stdexcept>\nint main() { throw std::runtime_error(\"no\"); }",
        greedy: "#include <vector>\nint main() { std::vector<char> v; for (;;) v.push_back(1); }",
    },
    Programs {
        language: Language::Javascript,
        sum: "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number);\n\
              console.log(a + b);",
        broken: "const = 3",
        endless: "for (;;);",
        failing: "null.x",
        greedy: "const x = []; for (;;) x.push(Buffer.alloc(1 << 20, 1))",
    },
    Programs {
        language: Language::Java,
        sum: "import java.util.*; public class Main { public static void main(String[] args) {\
              Scanner in = new Scanner(System.in);\
              System.out.println(in.nextInt() + in.nextInt()); } }",
        broken: "public class Main { int x = ; }",
        endless: "class Main { public static void main(String[] a) { for (;;); } }",
        failing: "class Main { public static void main(String[] a) { System.exit(3); } }",
        greedy: "import java.util.*; class Main { public static void main(String[] a) {\
                 List<byte[]> x = new ArrayList<>(); for (;;) x.add(new byte[1 << 20]); } }",
    },
    Programs {
        language: Language::Rust,
        sum: "fn main() { let mut s = String::new(); std::io::stdin().read_line(&mut s).unwrap();\
              let n: i32 = s.split_whitespace().map(|w| w.parse::<i32>().unwrap()).sum();\
              println!(\"{}\", n); }",
        broken: "fn main() { x }",
        endless: "fn main() { loop {} }",
        failing: "fn main() { panic!(\"no\"); }",
        greedy: "fn main() { let mut v = vec![]; loop { v.push(vec![1u8; 1 << 20]); } }",
    },
    Programs {
        language: Language::Go,
        sum: "package main\nimport \"fmt\"\n\
              func main() { var a, b int; fmt.Scan(&a, &b); fmt.Println(a + b) }",
        broken: "package main\nfunc main() { x }",
        endless: "package main\nfunc main() { for {} }",
        failing: "package main\nimport \"os\"\nfunc main() { os.Exit(3) }",
        greedy: "package main\nimport \"bytes\"\nfunc main() { var x [][]byte\n\
                 for { x = append(x, bytes.Repeat([]byte{1}, 1<<20)) } }",
    },
    Programs {
        language: Language::Typescript,
        sum: "import { readFileSync } from 'node:fs';\n\
              const [a, b]: number[] = readFileSync(0, 'utf8').split(' ').map(Number);\n\
              console.log(a + b);",
        broken: "const : number = ",
        endless: "for (;;);",
        failing: "throw new Error('no' as string)",
        greedy: "const x: Buffer[] = []; for (;;) x.push(Buffer.alloc(1 << 20, 1))",
    },
    Programs {
        language: Language::Csharp,
        sum: "using System; class P { static void Main() { var w = Console.ReadLine().Split(' ');\
              Console.WriteLine(int.Parse(w[0]) + int.Parse(w[1])); } }",
        broken: "class P { static void Main() { x } }",
        endless: "class P { static void Main() { for (;;); } }",
        failing: "class P { static int Main() { return 3; } }",
        greedy: "using System.Collections.Generic; class P { static void Main() {\
                 var x = new List<byte[]>(); for (;;) { var b = new byte[1 << 20];\
                 for (int i = 0; i < b.Length; i += 4096) b[i] = 1; x.Add(b); } } }",
    },
    Programs {
        language: Language::Kotlin,
        sum: "fun main() { val (a, b) = readLine()!!.split(\" \").map { it.toInt() }\n\
              println(a + b) }",
        broken: "fun main() { x }",
        endless: "fun main() { while (true) {} }",
        failing: "fun main() { System.exit(3) }",
        greedy: "fun main() { val x = ArrayList<ByteArray>(); while (true) x.add(ByteArray(1048576)) }",
    },
    Programs {
        language: Language::Ruby,
        sum: "a, b = gets.split.map(&:to_i)\nputs a + b",
        broken: "def (",
        endless: "loop {}",
        failing: "exit 3",
        greedy: "x = []\nloop { x << 'a' * (1 << 20) }",
    },
    Programs {
        language: Language::Php,
        sum: "<?php fscanf(STDIN, '%d %d', $a, $b); echo $a + $b, \"\\n\";",
        broken: "<?php function (",
        endless: "<?php for (;;);",
        failing: "<?php exit(3);",
        greedy: "<?php $x = []; for (;;) $x[] = str_repeat('a', 1 << 20);",
    },
    Programs {
        language: Language::Haskell,
        sum: "main = do { l <- getLine; print (sum (map read (words l) :: [Int])) }",
        broken: "main = do { x }",
        endless: "import Control.Monad\nmain = forever (return ()) :: IO ()",
        failing: "import System.Exit\nmain = exitWith (ExitFailure 3)",
        greedy: "main = do { let { x = [1 ..] :: [Integer] }; print (sum x); print (length x) }",
    },
    Programs {
        language: Language::Ocaml,
        sum: "let () = Scanf.scanf \" %d %d\" (fun a b -> Printf.printf \"%d\\n\" (a + b))",
        broken: "let () = print_int \"no\"",
        endless: "let () = while true do () done",
        failing: "let () = exit 3",
        greedy: "let rec f x = f (Bytes.make 1048576 'a' :: x)\nlet () = f []",
    },
    Programs {
        language: Language::Pascal,
        sum: "var a, b: longint; begin read(a, b); writeln(a + b); end.",
        broken: "begin x := ; end.",
        endless: "begin while true do; end.",
        failing: "begin halt(3); end.",
        greedy: "var p: pointer; begin while true do begin getmem(p, 1048576);\
                 fillchar(p^, 1048576, 1); end; end.",
    },
    Programs {
        language: Language::Perl,
        sum: "my ($a, $b) = split ' ', <STDIN>; print $a + $b, \"\\n\";",
        broken: "my $x = ;",
        endless: "1 while 1;",
        failing: "exit 3;",
        greedy: "my @x; push @x, 'a' x (1 << 20) . $_ for 1 .. 1e6;",
    },
    Programs {
        language: Language::Lua,
        sum: "local a, b = io.read('n', 'n')\nprint(a + b)",
        broken: "local = 3",
        endless: "while true do end",
        failing: "os.exit(3)",
        greedy: "local x = {}\nwhile true do x[#x + 1] = ('a'):rep(1048576) .. #x end",
    },
    Programs {
        language: Language::R,
        sum: "x <- scan(file('stdin'), quiet = TRUE)\ncat(sum(x), '\\n', sep = '')",
        broken: "x <- (",
        endless: "while (TRUE) {}",
        failing: "quit(status = 3)",
        greedy: "x <- list()\nwhile (TRUE) x[[length(x) + 1]] <- rep(1, 1e6)",
    },
    Programs {
        language: Language::Bash,
        sum: "read a b; echo $((a + b))",
        broken: "if",
        endless: "while :; do :; done",
        failing: "exit 3",
        greedy: "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done",
    },
    Programs {
        language: Language::Sqlite,
        sum: "select a + b from n;",
        broken: "selec 1;",
        endless: "with recursive c(x) as (select 1 union all select x from c)\
                  select count(*) from c;",
        failing: "select * from none;",
        greedy: "create table x as with recursive c(n) as (select 1 union all select n + 1 from c)\
                 select randomblob(1000000) from c;",
    },
    Programs {
        language: Language::Fortran,
        sum: "program p\ninteger :: a, b\nread *, a, b\nprint '(i0)', a + b\nend program",
        broken: "program p\nx = = 3\nend program",
        endless: "program p\nvolatile :: i\ndo\ni = 1\nend do\nend program",
        failing: "program p\nstop 3\nend program",
        greedy: "program p\ntype t\ninteger, allocatable :: a(:)\nend type\n\
                 type(t) :: x(100000)\ninteger :: i\ndo i = 1, 100000\n\
                 allocate(x(i)%a(262144))\nx(i)%a = i\nend do\nprint *, x(5)%a(7)\nend program",
    },
    Programs {
        language: Language::Ada,
        sum: "with Ada.Integer_Text_IO; use Ada.Integer_Text_IO;\n\
              procedure Main is A, B : Integer; begin Get (A); Get (B);\n\
              Put (A + B, Width => 0); end Main;",
        broken: "procedure Main is begin X := ; end Main;",
        endless: "procedure Main is begin loop null; end loop; end Main;",
        failing: "procedure Main is begin raise Program_Error; end Main;",
        greedy: "procedure Main is type A is array (1 .. 1048576) of Character;\n\
                 type P is access A; X : P; pragma Volatile (X);\n\
                 begin loop X := new A'(others => 'a'); end loop; end Main;",
    },
    Programs {
        language: Language::D,
        sum: "import std.stdio; void main() { int a, b; readf(\" %d %d\", &a, &b); writeln(a + b); }",
        broken: "void main() { x; }",
        endless: "void main() { for (;;) {} }",
        failing: "int main() { return 3; }",
        greedy: "void main() { ubyte[][] x; for (;;) { auto b = new ubyte[1 << 20]; b[] = 1; x ~= b; } }",
    },
    Programs {
        language: Language::Nim,
        sum: "import strutils, sequtils\nlet w = stdin.readLine.split.map(parseInt)\necho w[0] + w[1]",
        broken: "let = 3",
        endless: "var x {.volatile.} = 0\nwhile true: x = 1 - x",
        failing: "quit(3)",
        greedy: "import strutils\nvar x: seq[string]\nwhile true: x.add(repeat('a', 1 shl 20))\n",
    },
    Programs {
        language: Language::Lisp,
        sum: "(format t \"~a~%\" (+ (read) (read)))",
        broken: "(format t \"~a",
        endless: "(loop)",
        failing: "(sb-ext:exit :code 3)",
        greedy: "(let ((x '())) (loop (push (make-array 1000000 :initial-element 1) x)))",
    },
    Programs {
        language: Language::Scheme,
        sum: "(let* ((a (read)) (b (read))) (display (+ a b)) (newline))",
        broken: "(display (+ 1",
        endless: "(let loop () (loop))",
        failing: "(exit 3)",
        greedy: "(let loop ((x '())) (loop (cons (make-vector 100000 1) x)))",
    },
    Programs {
        language: Language::Prolog,
        sum: "main :- read_line_to_string(user_input, L), split_string(L, \" \", \"\", W),\n\
              maplist(number_string, N, W), sum_list(N, S), write(S), nl.",
        broken: "main :- write(.",
        endless: "main :- repeat, fail.",
        failing: "main :- halt(3).",
        greedy: "main :- f([]).\nf(X) :- length(L, 1000), f([L | X]).",
    },
    Programs {
        language: Language::Tcl,
        sum: "lassign [gets stdin] a b\nputs [expr {$a + $b}]",
        broken: "puts {",
        endless: "while 1 {}",
        failing: "exit 3",
        greedy: "while 1 { lappend x [string repeat a 1048576] }",
    },
    Programs {
        language: Language::Awk,
        sum: "{ print $1 + $2 }",
        broken: "{ print (",
        endless: "BEGIN { while (1); }",
        failing: "BEGIN { exit 3 }",
        greedy: "BEGIN { x = \"aaaaaaaaaaaaaaaa\"; while (1) x = x x }",
    },
];
