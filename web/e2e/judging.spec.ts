import AxeBuilder from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';
import { make_room } from './room';
import { another_device, set_up, test } from './server';

const SHOTS = process.env.SHOTS;

/** Accepts any even number, which no comparison of outputs could. */
const EVEN = 'import sys\nn = input()\nopen(sys.argv[3] + "/teammessage.txt", "w").write("this is odd")\nsys.exit(42 if n.isdigit() and int(n) % 2 == 0 else 43)\n';
/** Adds up what is typed, line by line, until the input ends. */
const TALKS = 'import sys\ntotal = 0\nfor line in sys.stdin:\n    total += int(line)\n    print("so far", total, flush=True)\nprint("total", total)\n';

async function shoot(page: Page, name: string): Promise<void> {
  for (const width of [1440, 390]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const found = await new AxeBuilder({ page }).analyze();
      expect.soft(found.violations.map(one => `${one.id}: ${one.nodes[0]?.html}`), `${name} ${width} ${colorScheme}`).toEqual([]);
      if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}-${width}-${colorScheme}.png` });
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
}

/** Puts `text` in place of what the page's editor holds, without its help with brackets. */
async function write(page: Page, text: string): Promise<void> {
  await page.locator('.cm-content').last().click();
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(text);
}

test('US-076 US-086 a program that judges is written in the studio, and a candidate types to theirs while it runs', async ({ server, page, browser }) => {
  await set_up(server, page);
  const { seats } = await make_room(page, ['Noor Haddad'], { allow_small_screen: true }, async content => {
    await page.goto(`${server.url}/contents/${content}`);
    await page.getByRole('button', { name: 'Judging' }).or(page.getByRole('tab', { name: 'Judging' })).first().click();
    await page.getByLabel('How an answer is judged').selectOption('Own validator program');
    await page.getByRole('button', { name: 'Write the program' }).click();
    await write(page, EVEN);
    await expect(page.getByText('Saved', { exact: true })).toBeVisible();
    await shoot(page, 'judging');
  });

  const noor = await another_device(browser);
  await noor.goto(`${server.url}/s/${seats[0]?.link.code}`);
  await noor.getByRole('button', { name: 'Go on' }).click();
  await noor.getByRole('button', { name: 'Take part' }).click();
  await noor.getByRole('button', { name: /^Start/ }).click();
  await noor.locator('.cm-content').waitFor();

  // What is typed reaches the program, what it prints comes back at once, and the input can end.
  await write(noor, TALKS);
  await expect(noor.getByText('Saved', { exact: true })).toBeVisible();
  await noor.getByRole('button', { name: /Own input/ }).click();
  await noor.getByRole('button', { name: 'Run and type' }).click();
  const line = noor.getByLabel('Type to your program. Enter sends.');
  await line.fill('40');
  await line.press('Enter');
  await expect(noor.getByRole('log')).toContainText('so far 40');
  await line.fill('2');
  await line.press('Enter');
  await expect(noor.getByRole('log')).toContainText('so far 42');
  await shoot(noor, 'typing');
  await noor.getByRole('button', { name: /^End input/ }).click();
  await expect(noor.getByText('total 42')).toBeVisible();

  // Any even number is right, and no odd one.
  await write(noor, 'print(8)\n');
  await expect(noor.getByText('Saved', { exact: true })).toBeVisible();
  await noor.getByRole('button', { name: 'Run all' }).click();
  await expect(noor.getByText(/2 of 2/).first()).toBeVisible({ timeout: 30_000 });
  await write(noor, 'print(7)\n');
  await expect(noor.getByText('Saved', { exact: true })).toBeVisible();
  await noor.getByRole('button', { name: 'Run all' }).click();
  await noor.getByRole('button', { name: /Example/ }).last().click();
  await expect(noor.getByText('this is odd').first()).toBeVisible({ timeout: 30_000 });
});
