import { expect, test } from 'vitest';

type Dictionary = { en: unknown; fr: unknown };
const modules = import.meta.glob<Record<string, Dictionary>>('./*.ts', { eager: true });
const dictionaries = Object.entries(modules).flatMap(([path, module]) => Object.entries(module).map(([name, words]) => ({ name: `${path} ${name}`, ...words })));

/** Every string of a dictionary, functions called with a plain number or word. */
function* strings(words: unknown, path = ''): Generator<[path: string, text: string]> {
  if (typeof words === 'string') yield [path, words];
  else if (typeof words === 'function') {
    const said: unknown = (words as (...args: unknown[]) => unknown)(...Array.from({ length: 8 }, () => 2));
    yield* strings(said, `${path}()`);
  } else if (words && typeof words === 'object') for (const [key, value] of Object.entries(words)) yield* strings(value, `${path}.${key}`);
}

test.each(dictionaries)('$name says the same things in both languages', ({ en, fr }) => {
  expect([...strings(fr)].map(([path]) => path)).toEqual([...strings(en)].map(([path]) => path));
});

test.each(dictionaries)('$name: French keeps its spaces no-break and its quotes French', ({ fr }) => {
  for (const [path, text] of strings(fr)) {
    expect(text, path).not.toMatch(/ [:;!?»]|« /);
    expect(text, path).not.toMatch(/[^\s\u00a0\u202f/\d][:;!?](?=\s|$)/);
    expect(text, path).not.toMatch(/['"]/);
  }
});

test.each(dictionaries)('$name: no exclamation marks, no straight quotes', ({ en }) => {
  for (const [path, text] of strings(en)) expect(text, path).not.toMatch(/!|'|oops/i);
});
