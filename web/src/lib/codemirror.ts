/** CodeMirror as our editor: loaded when an editor is first shown. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, StreamLanguage, syntaxHighlighting, type StreamParser } from '@codemirror/language';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { ChangeSet, Compartment, EditorState, Prec, Text, Transaction, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { well_formed } from './draft';
import type { Language } from './wire';

export type EditorEvents = {
  onchange: (changes: ChangeSet, caret: number) => void;
  oncaret: (caret: number) => void;
  /** Ctrl Enter, and with Shift. */
  onrun: (examples: boolean) => void;
};

export type Shown = { text: string; language: Language; label: string; read_only: boolean; caret: number };

/** One editor on the page; it keeps the history of each file that it has shown. */
export class CodeEditor {
  readonly #view: EditorView;
  readonly #states = new Map<string, EditorState>();
  readonly #mode = new Compartment();
  readonly #grammar = new Compartment();
  readonly #events: EditorEvents;
  #key: string;

  constructor(parent: HTMLElement, key: string, shown: Shown, events: EditorEvents) {
    this.#events = events;
    this.#key = key;
    this.#view = new EditorView({ parent, state: this.#state(shown) });
    void this.#read(shown.language);
  }

  /** Shows another file, as it was left. */
  show(key: string, shown: Shown): void {
    if (key === this.#key) return;
    this.#states.set(this.#key, this.#view.state);
    this.#key = key;
    const known = this.#states.get(key);
    this.#view.setState(known?.doc.toString() === shown.text ? known : this.#state(shown));
    this.set_mode(shown);
    void this.#read(shown.language);
  }

  set_mode({ label, read_only }: Pick<Shown, 'label' | 'read_only'>): void {
    this.#view.dispatch({ effects: this.#mode.reconfigure(mode(label, read_only)) });
  }

  /** Puts changes made elsewhere; they are no step of the person's history. */
  apply(changes: ChangeSet): void {
    this.#view.dispatch({ changes, annotations: [Transaction.remote.of(true), Transaction.addToHistory.of(false)] });
  }

  text(): string {
    return this.#view.state.doc.toString();
  }

  focus(): void {
    this.#view.focus();
  }

  destroy(): void {
    this.#view.destroy();
  }

  /** Loads the grammar of a language, and reads the file that is shown by it. */
  async #read(language: Language): Promise<void> {
    const key = this.#key;
    const found = await grammar(language);
    if (key === this.#key && this.#grammar.get(this.#view.state) !== found) this.#view.dispatch({ effects: this.#grammar.reconfigure(found) });
  }

  #state({ text, language, label, read_only, caret }: Shown): EditorState {
    const doc = Text.of(text.split('\n'));
    return EditorState.create({
      doc,
      selection: { anchor: Math.min(caret, doc.length) },
      extensions: [
        LOOK,
        BEHAVIOUR,
        this.#grammar.of([]),
        indentUnit.of(INDENTS[language] ?? '    '),
        this.#mode.of(mode(label, read_only)),
        Prec.highest(keymap.of([run_key('Mod-Enter', this.#events, false), run_key('Shift-Mod-Enter', this.#events, true)])),
        EditorView.updateListener.of(update => {
          const caret = update.state.selection.main.head;
          const ours = update.transactions.some(step => step.docChanged && !step.annotation(Transaction.remote));
          if (ours) this.#events.onchange(update.changes, caret);
          else if (update.selectionSet) this.#events.oncaret(caret);
        }),
      ],
    });
  }
}

function run_key(key: string, events: EditorEvents, examples: boolean) {
  return { key, run: () => (events.onrun(examples), true) };
}

function mode(label: string, read_only: boolean): Extension {
  return [EditorState.readOnly.of(read_only), EditorView.contentAttributes.of({ tabindex: '0', 'aria-label': label, 'aria-readonly': String(read_only) })];
}

/** Where custom is not four spaces. */
const INDENTS: Partial<Record<Language, string>> = { javascript: '  ', typescript: '  ', ruby: '  ', haskell: '  ', ocaml: '  ', lua: '  ', r: '  ', nim: '  ', lisp: '  ', scheme: '  ', go: '\t' };

const grammars = new Map<Language, Promise<Extension>>();

function grammar(language: Language): Promise<Extension> {
  let found = grammars.get(language);
  if (!found) grammars.set(language, (found = load(language)));
  return found;
}

async function load(language: Language): Promise<Extension> {
  switch (language) {
    case 'python': return (await import('@codemirror/lang-python')).python();
    case 'c':
    case 'cpp': return (await import('@codemirror/lang-cpp')).cpp();
    case 'javascript': return (await import('@codemirror/lang-javascript')).javascript();
    case 'typescript': return (await import('@codemirror/lang-javascript')).javascript({ typescript: true });
    case 'java': return stream((await import('@codemirror/legacy-modes/mode/clike')).java);
    case 'csharp': return stream((await import('@codemirror/legacy-modes/mode/clike')).csharp);
    case 'kotlin': return stream((await import('@codemirror/legacy-modes/mode/clike')).kotlin);
    case 'rust': return stream((await import('@codemirror/legacy-modes/mode/rust')).rust);
    case 'go': return stream((await import('@codemirror/legacy-modes/mode/go')).go);
    case 'ruby': return stream((await import('@codemirror/legacy-modes/mode/ruby')).ruby);
    case 'haskell': return stream((await import('@codemirror/legacy-modes/mode/haskell')).haskell);
    case 'ocaml': return stream((await import('@codemirror/legacy-modes/mode/mllike')).oCaml);
    case 'pascal': return stream((await import('@codemirror/legacy-modes/mode/pascal')).pascal);
    case 'perl': return stream((await import('@codemirror/legacy-modes/mode/perl')).perl);
    case 'lua': return stream((await import('@codemirror/legacy-modes/mode/lua')).lua);
    case 'r': return stream((await import('@codemirror/legacy-modes/mode/r')).r);
    case 'bash': return stream((await import('@codemirror/legacy-modes/mode/shell')).shell);
    case 'sqlite': return stream((await import('@codemirror/legacy-modes/mode/sql')).sqlite);
    case 'fortran': return stream((await import('@codemirror/legacy-modes/mode/fortran')).fortran);
    case 'd': return stream((await import('@codemirror/legacy-modes/mode/d')).d);
    case 'lisp': return stream((await import('@codemirror/legacy-modes/mode/commonlisp')).commonLisp);
    case 'scheme': return stream((await import('@codemirror/legacy-modes/mode/scheme')).scheme);
    case 'tcl': return stream((await import('@codemirror/legacy-modes/mode/tcl')).tcl);
    // Nobody has a small grammar of these.
    case 'php':
    case 'ada':
    case 'nim':
    case 'prolog':
    case 'awk': return [];
    default: return language satisfies never;
  }
}

const stream = (parser: StreamParser<unknown>): Extension => StreamLanguage.define(parser);

/** What no server can store is replaced as it is typed, so that both hold the same text. */
const storable = EditorState.transactionFilter.of(step => {
  if (!step.docChanged) return step;
  const json: unknown = step.changes.toJSON();
  const clean = well_formed(json);
  if (JSON.stringify(clean) === JSON.stringify(json)) return step;
  return { changes: ChangeSet.fromJSON(clean), selection: step.newSelection, scrollIntoView: true };
});

const BEHAVIOUR: Extension = [
  history(), indentOnInput(), bracketMatching(), closeBrackets(), autocompletion({ icons: false }), drawSelection(), highlightSelectionMatches(),
  EditorState.tabSize.of(4), storable,
  keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, indentWithTab]),
];

const theme = EditorView.theme({
  '&': { height: '100%', fontSize: 'var(--editor-size, 0.875rem)', color: 'var(--text)', background: 'var(--paper)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { font: '400 1em/1.6 var(--mono)', fontVariantLigatures: 'none', fontFeatureSettings: '"calt" 0' },
  '.cm-content': { padding: 'var(--space-2) 0', caretColor: 'var(--accent)' },
  '.cm-line': { padding: '0 var(--space-3) 0 0' },
  '.cm-cursor, .cm-dropCursor': { borderInlineStart: '2px solid var(--accent)' },
  '.cm-activeLine': { background: 'var(--ink-1)' },
  '.cm-gutters': { background: 'var(--paper)', color: 'var(--text-3)', border: '0' },
  '.cm-lineNumbers .cm-gutterElement': { minWidth: '3.2em', padding: '0 1.3em 0 0' },
  '.cm-activeLineGutter': { background: 'var(--ink-1)', color: 'var(--text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { background: 'var(--ink-3)' },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': { background: 'var(--ink-2)', outline: '1px solid var(--ink-4)' },
  '.cm-nonmatchingBracket, &.cm-focused .cm-nonmatchingBracket': { background: 'var(--bad-wash)' },
  '.cm-selectionMatch, .cm-searchMatch': { background: 'var(--warn-wash)' },
  '.cm-searchMatch-selected': { background: 'var(--ink-3)' },
  '.cm-tooltip': { background: 'var(--paper)', border: '1px solid var(--line)', borderRadius: 'var(--radius-2)', boxShadow: 'var(--shadow-2)', overflow: 'hidden' },
  '.cm-tooltip-autocomplete > ul': { font: '400 0.82rem/1.6 var(--mono)' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { background: 'var(--ink-2)', color: 'var(--ink-9)' },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '600' },
  '.cm-panels': { background: 'var(--paper-2)', color: 'var(--text)', borderColor: 'var(--line) !important', font: '400 var(--type-1)/1.4 var(--sans)' },
  '.cm-panel.cm-search input, .cm-panel.cm-search button': { font: 'inherit', fontSize: 'var(--type-1)', backgroundImage: 'none' },
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword, tags.controlKeyword], color: 'var(--code-keyword)', fontWeight: '500' },
  { tag: [tags.bool, tags.null, tags.self, tags.typeName, tags.standard(tags.variableName)], color: 'var(--code-keyword)' },
  { tag: [tags.string, tags.special(tags.string), tags.character], color: 'var(--code-string)' },
  { tag: [tags.number, tags.escape, tags.regexp], color: 'var(--code-number)' },
  { tag: [tags.comment, tags.meta, tags.processingInstruction], color: 'var(--code-comment)' },
]);

const LOOK: Extension = [lineNumbers(), highlightActiveLine(), highlightActiveLineGutter(), theme, syntaxHighlighting(colours)];
