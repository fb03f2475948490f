import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

test('each icon that can be named is drawn, and each one drawn can be named', () => {
  const drawn = [...read('icons.svg').matchAll(/<symbol id="([\w-]+)"/g)].map(([, id]) => id);
  const named = [...(read('Icon.svelte').split('</script>')[0] ?? '').matchAll(/'([\w-]+)'/g)].map(([, id]) => id);
  expect(named.sort()).toEqual(drawn.sort());
});
