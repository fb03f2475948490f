/** Markdown as tokens: CommonMark with tables, and math between `$…$` and `$$…$$`. Raw HTML stays text. */
import { Marked, type MarkedToken } from 'marked';

export type MathPiece = { type: 'math'; raw: string; text: string; display: boolean };
export type Piece = MarkedToken | MathPiece;

const INLINE_MATH = /^(\$\$?)(?!\s)((?:\\[\s\S]|[^$\\])+?)(?<!\s)\1(?!\d)/;
const BLOCK_MATH = /^ {0,3}\$\$([\s\S]+?)\$\$[ \t]*(?:\n|$)/;

const parser = new Marked({
  gfm: true,
  extensions: [
    {
      name: 'math',
      level: 'inline',
      start: source => source.indexOf('$'),
      tokenizer(source) {
        const found = INLINE_MATH.exec(source);
        if (found) return { type: 'math', raw: found[0], text: found[2] ?? '', display: found[1] === '$$' };
        return undefined;
      },
    },
    {
      name: 'math',
      level: 'block',
      start: source => source.indexOf('$$'),
      tokenizer(source) {
        const found = BLOCK_MATH.exec(source);
        if (found) return { type: 'math', raw: found[0], text: (found[1] ?? '').trim(), display: true };
        return undefined;
      },
    },
  ],
});

export function pieces(source: string): Piece[] {
  return parser.lexer(source) as Piece[];
}

/** The address of a link, if it leads somewhere that a statement may lead to. */
export function safe_href(href: string): string | undefined {
  return /^(https?:\/\/|mailto:|\/(?!\/)|#)/i.test(href) ? href : undefined;
}

/** The address of an image: ours or in the text itself, so that reading a statement tells nobody. */
export function safe_source(href: string): string | undefined {
  return /^(data:image\/(png|jpeg|gif|webp|svg\+xml)[;,]|\/(?!\/))/i.test(href) ? href : undefined;
}

const NAMED: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0', le: '≤', ge: '≥', ne: '≠', times: '×', hellip: '…', ndash: '–', mdash: '—', rarr: '→', larr: '←', infin: '∞' };

/** Turns `&lt;` and `&#8804;` into the characters that they name. */
export function unescaped(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]+));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
    const code = decimal ? Number(decimal) : hex ? Number.parseInt(hex, 16) : undefined;
    if (code !== undefined) return code > 0 && code <= 0x10_ff_ff ? String.fromCodePoint(code) : whole;
    return NAMED[name ?? ''] ?? whole;
  });
}
