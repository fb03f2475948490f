import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const tokens = readFileSync(new URL('tokens.css', import.meta.url), 'utf8');
const colours = new Map([...tokens.matchAll(/--([\w-]+): light-dark\((oklch\([^)]+\)), (oklch\([^)]+\))\)/g)].map(([, name = '', light = '', dark = '']) => [name, { light, dark }]));

const TEXTS = ['grey-7', 'grey-8', 'grey-9', 'ink-7', 'ink-8', 'good', 'warn', 'bad', 'code-string', 'code-number'];
const PAPERS = ['grey-1', 'grey-2', 'grey-3'];
const ON_WASH: [string, string][] = [['grey-9', 'good-wash'], ['grey-9', 'warn-wash'], ['grey-9', 'bad-wash'], ['good', 'good-wash'], ['warn', 'warn-wash'], ['bad', 'bad-wash'], ['ink-9', 'ink-2'], ['on-accent', 'ink-7']];

test.each(['light', 'dark'] as const)('text can be read in the %s theme', theme => {
  const pairs = [...TEXTS.flatMap(text => PAPERS.map((paper): [string, string] => [text, paper])), ...ON_WASH];
  const faint = pairs.map(([text, paper]) => ({ text, paper, ratio: contrast(shade(text), shade(paper)) })).filter(({ ratio }) => ratio < 4.5);
  expect(faint).toEqual([]);

  function shade(name: string): number {
    const colour = colours.get(name);
    if (!colour) throw new Error(`no colour is named ${name}`);
    return luminance(colour[theme]);
  }
});

function contrast(a: number, b: number): number {
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/** Relative luminance of `oklch(L C H)`, by way of linear sRGB (https://bottosson.github.io/posts/oklab/). */
function luminance(oklch: string): number {
  const [lightness = 0, chroma = 0, hue = 0] = [...oklch.matchAll(/[\d.]+/g)].map(Number);
  const [a, b] = [chroma * Math.cos((hue * Math.PI) / 180), chroma * Math.sin((hue * Math.PI) / 180)];
  const l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b) ** 3;
  const m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b) ** 3;
  const s = (lightness - 0.089_484_177_5 * a - 1.291_485_548 * b) ** 3;
  const red = 4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s;
  const green = -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s;
  const blue = -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s;
  const inside = (value: number) => Math.min(1, Math.max(0, value));
  return 0.2126 * inside(red) + 0.7152 * inside(green) + 0.0722 * inside(blue);
}
