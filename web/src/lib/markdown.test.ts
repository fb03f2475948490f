import { expect, test } from 'vitest';
import { pieces, safe_href, safe_source, unescaped, type Piece } from './markdown';

const flat = (source: string) => {
  const all: Piece[] = [];
  const walk = (list: Piece[]) => list.forEach(piece => (all.push(piece), 'tokens' in piece && walk((piece.tokens ?? []) as Piece[])));
  walk(pieces(source));
  return all;
};
const maths = (source: string) => flat(source).flatMap(piece => (piece.type === 'math' ? [[piece.text, piece.display]] : []));

test('math stands between dollars, prices do not', () => {
  expect(maths('with $1 \\le n$ and $a_i$')).toEqual([['1 \\le n', false], ['a_i', false]]);
  expect(maths('$$\nx^2\n$$')).toEqual([['x^2', true]]);
  expect(maths('it costs $5, or $6')).toEqual([]);
  expect(maths('`$x$`')).toEqual([]);
  expect(maths('$a*b$ and $c*d$')).toEqual([['a*b', false], ['c*d', false]]);
});

test('tables are read, raw HTML is a piece of its own that is shown as text', () => {
  expect(pieces('| a | b |\n|---|--:|\n| 1 | 2 |')[0]).toMatchObject({ type: 'table', align: [null, 'right'] });
  expect(flat('x <script>alert(1)</script>').filter(piece => piece.type === 'html')).toHaveLength(2);
});

test('only addresses that tell nobody and run nothing are followed', () => {
  expect(safe_href('javascript:alert(1)')).toBeUndefined();
  expect(safe_href('https://example.org')).toBe('https://example.org');
  expect(safe_href('//evil.example')).toBeUndefined();
  expect(safe_source('https://spy.example/a.png')).toBeUndefined();
  expect(safe_source('data:image/png;base64,AA')).toBeDefined();
});

test('entities are characters', () => {
  expect(unescaped('a &lt; b &#8804; &#x41; &amp;lt; &unknown;')).toBe('a < b ≤ A &lt; &unknown;');
});
