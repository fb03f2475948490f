import { expect, test } from 'vitest';
import { initials, parse_people } from './candidates';

test('one person a line: name, email, tags', () => {
  const { people, bad } = parse_people('Aya Suleimanova, aya.s@kallsvik.example, Remote; extra time\n\n');
  expect(people).toEqual([{ name: 'Aya Suleimanova', email: 'aya.s@kallsvik.example', tags: ['Remote', 'extra time'] }]);
  expect(bad).toEqual([]);
});

test('lines of a spreadsheet and of a mail program are read too', () => {
  const { people } = parse_people('Tomás Ó Briain\ttomas@kallsvik.example\tLyon\nMin-jun Seo <seo@kallsvik.example>\nli@kallsvik.example, Li');
  expect(people.map(({ name, email }) => [name, email])).toEqual([
    ['Tomás Ó Briain', 'tomas@kallsvik.example'],
    ['Min-jun Seo', 'seo@kallsvik.example'],
    ['Li', 'li@kallsvik.example'],
  ]);
});

test('what cannot be read is named by its line, the others are ready', () => {
  const { people, lines, bad } = parse_people('A, a@x.example\nB; tomas@kallsvik\n, c@x.example\nD, A@x.example\nE, e@x.example', new Set(['e@x.example']));
  expect(people).toHaveLength(1);
  expect(lines).toEqual([1]);
  expect(bad).toEqual([
    { line: 2, why: 'bad_email', text: 'tomas@kallsvik' },
    { line: 3, why: 'no_name', text: 'c@x.example' },
    { line: 4, why: 'twice', text: 'A@x.example' },
    { line: 5, why: 'there_already', text: 'e@x.example' },
  ]);
});

test('initials are of the first and the last name', () => {
  expect(initials('Þórunn Jónsdóttir')).toBe('ÞJ');
  expect(initials('Åse Marie Öberg')).toBe('ÅÖ');
  expect(initials('Li')).toBe('L');
});
