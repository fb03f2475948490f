import { expect, test } from 'vitest';
import { append_output, KEPT_CHARS, text_of, type Output } from './output';

function all(...chunks: object[]): Output {
  return chunks.reduce<unknown>((old, next) => append_output(old, next), undefined) as Output;
}

test('what is typed stands where it was typed', () => {
  const output = all({ offset: 0, text: 'name? ' }, { offset: 6, text: 'Ada\n', typed: true }, { offset: 10, text: 'hel' }, { offset: 13, text: 'lo\n' });
  expect(output.pieces.map(({ text, typed }) => [text, typed])).toEqual([['name? ', false], ['Ada\n', true], ['hello\n', false]]);
  expect(text_of(output)).toBe('name? Ada\nhello\n');
});

test('a gap is kept and said', () => {
  const output = all({ offset: 0, text: 'head' }, { offset: 1_000, text: 'tail', skipped: 996 });
  expect(output.pieces.map(piece => piece.skipped)).toEqual([0, 996]);
});

test('of a flood the head and the tail are kept, in a bounded room', () => {
  const chunk = 'x'.repeat(16_384);
  const output = all(...Array.from({ length: 100 }, (_, i) => ({ offset: i * 16_384, text: i === 99 ? chunk.slice(1) + '!' : chunk })));
  expect(text_of(output).length).toBeLessThanOrEqual(KEPT_CHARS);
  expect(text_of(output).endsWith('x!')).toBe(true);
  const kept = text_of(output).length + output.pieces.reduce((sum, piece) => sum + piece.skipped, 0);
  expect(kept).toBe(100 * 16_384);
});
