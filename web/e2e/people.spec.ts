import AxeBuilder from '@axe-core/playwright';
import { expect } from '@playwright/test';
import { add_person, another_device, set_up, test } from './server';

test('an administrator adds a creator, who chooses a password with a link that works once', async ({ server, page, browser }) => {
  await set_up(server, page);
  await page.getByRole('link', { name: 'People' }).click();
  const link = await add_person(page, 'Tomás Ó Briain', 'tomas@kallsvik.example');
  const row = page.getByRole('row').filter({ hasText: 'tomas@kallsvik.example' });
  await expect(row).toContainText('No password yet');

  const tomas = await another_device(browser);
  await tomas.goto(link);
  await expect(tomas.getByRole('heading', { name: 'Welcome, Tomás Ó Briain' })).toBeVisible();
  expect((await new AxeBuilder({ page: tomas }).analyze()).violations).toEqual([]);
  await tomas.getByLabel('Password').fill('short');
  await tomas.getByRole('button', { name: 'Choose it and sign in' }).click();
  await expect(tomas.getByText('4 more characters')).toBeVisible();
  await tomas.getByLabel('Password').fill('a quiet harbour');
  await tomas.getByRole('button', { name: 'Choose it and sign in' }).click();
  await expect(tomas.getByRole('heading', { name: 'Campaigns', level: 1 })).toBeVisible();
  await expect(tomas.getByRole('link', { name: 'People' })).toHaveCount(0);
  await tomas.goto(`${server.url}/people`);
  await expect(tomas.getByRole('heading', { name: 'This page is for administrators' })).toBeVisible();

  const late = await another_device(browser);
  await late.goto(link);
  await expect(late.getByRole('heading', { name: 'This link has ended' })).toBeVisible();

  await page.reload();
  await expect(row).toContainText('Active');
  await row.getByRole('button', { name: /^Shut out/ }).click();
  const dialog = page.getByRole('dialog', { name: /^Shut Tomás/ });
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(row.getByRole('button', { name: /^Shut out/ })).toBeFocused();
  await row.getByRole('button', { name: /^Shut out/ }).click();
  await dialog.getByRole('button', { name: 'Shut out', exact: true }).click();
  await expect(row).toContainText('Shut out');
  await tomas.goto(`${server.url}/tests`);
  await expect(tomas.getByRole('heading', { name: 'Sign in', level: 1 })).toBeVisible();
  await tomas.getByLabel('Email').fill('tomas@kallsvik.example');
  await tomas.getByLabel('Password').fill('a quiet harbour');
  await tomas.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(tomas.getByRole('alert')).toContainText('do not belong together');

  await row.getByRole('button', { name: /^Let in again/ }).click();
  await expect(row).toContainText('Active');
  await tomas.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(tomas.getByRole('heading', { name: 'Tests', level: 1 })).toBeVisible();
});
