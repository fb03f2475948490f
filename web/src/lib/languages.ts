/** Languages, as the page shows them: proper names, which are the same in English and in French. */
import type { Language } from './wire/Language';

type Row = {
  name: string;
  /** The file that is run or compiled first. */
  main: string;
  /** How the name of a further file begins to be typed: with its ending. */
  more: string;
};

/** In the order in which they are offered. */
const ROWS: Record<Language, Row> = {
  python: { name: 'Python', main: 'main.py', more: '.py' },
  c: { name: 'C', main: 'main.c', more: '.h' },
  cpp: { name: 'C++', main: 'main.cpp', more: '.hpp' },
  javascript: { name: 'JavaScript', main: 'main.js', more: '.js' },
  java: { name: 'Java', main: 'Main.java', more: '.java' },
  rust: { name: 'Rust', main: 'main.rs', more: '.rs' },
  go: { name: 'Go', main: 'main.go', more: '.go' },
  typescript: { name: 'TypeScript', main: 'main.ts', more: '.ts' },
  csharp: { name: 'C#', main: 'main.cs', more: '.cs' },
  kotlin: { name: 'Kotlin', main: 'main.kt', more: '.kt' },
  ruby: { name: 'Ruby', main: 'main.rb', more: '.rb' },
  php: { name: 'PHP', main: 'main.php', more: '.php' },
  haskell: { name: 'Haskell', main: 'main.hs', more: '.hs' },
  ocaml: { name: 'OCaml', main: 'main.ml', more: '.ml' },
  pascal: { name: 'Pascal', main: 'main.pas', more: '.pas' },
  perl: { name: 'Perl', main: 'main.pl', more: '.pm' },
  lua: { name: 'Lua', main: 'main.lua', more: '.lua' },
  r: { name: 'R', main: 'main.R', more: '.R' },
  bash: { name: 'Bash', main: 'main.sh', more: '.sh' },
  sqlite: { name: 'SQL (SQLite)', main: 'main.sql', more: '.sql' },
  fortran: { name: 'Fortran', main: 'main.f90', more: '.f90' },
  ada: { name: 'Ada', main: 'main.adb', more: '.adb' },
  d: { name: 'D', main: 'main.d', more: '.d' },
  nim: { name: 'Nim', main: 'main.nim', more: '.nim' },
  lisp: { name: 'Common Lisp', main: 'main.lisp', more: '.lisp' },
  scheme: { name: 'Scheme', main: 'main.scm', more: '.scm' },
  prolog: { name: 'Prolog', main: 'main.pro', more: '.pro' },
  tcl: { name: 'Tcl', main: 'main.tcl', more: '.tcl' },
  awk: { name: 'AWK', main: 'main.awk', more: '.awk' },
};

export const LANGUAGES = Object.keys(ROWS) as readonly Language[];

export const language_name = (language: Language): string => ROWS[language].name;
export const main_file = (language: Language): string => ROWS[language].main;
export const file_ending = (language: Language): string => ROWS[language].more;
