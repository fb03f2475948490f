import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, type Browser, type Page } from '@playwright/test';

/** With POLYCODE_E2E=cluster each test has three nodes behind one address, of which one is killed on the way. */
const IS_CLUSTER = process.env.POLYCODE_E2E === 'cluster';
/** What each of them does, a word a node (`gateway actors,runner`), where not all do everything; the second one is killed. */
const ROLES = (process.env.POLYCODE_E2E_ROLES ?? '').split(' ').filter(Boolean).flatMap(roles => ['--roles', roles]);
/** When that happens, after the administrator was made. */
const KILLED_AFTER_MS = 15_000;
const PROGRAM = process.env.POLYCODE_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(import.meta.dirname, '../../target'), 'debug/polycode');

/** A server of its own for one test, on a free port, with its data in a temporary directory. */
export class Server {
  readonly url: string;
  readonly setup_link: Promise<string>;
  #process: ChildProcess;
  readonly #data: string;
  readonly #options: string[];
  #said = '';

  private constructor(port: number, data: string, options: string[]) {
    this.url = `http://127.0.0.1:${port}`;
    this.#data = data;
    const listen = ['--listen', `127.0.0.1:${port}`];
    this.#options = IS_CLUSTER ? ['cluster', '--spawn', PROGRAM, ...listen, ...ROLES] : ['serve', '--data', data, ...listen, ...options];
    this.#process = this.#spawn();
    this.setup_link = new Promise(resolve => {
      this.#process.stdout?.on('data', (chunk: Buffer) => {
        this.#said += chunk.toString();
        const link = /http\S+token=\S+/.exec(this.#said)?.[0];
        if (link) resolve(link);
      });
    });
  }

  static async start(options: string[] = [], data = mkdtempSync(join(tmpdir(), 'polycode-'))): Promise<Server> {
    const server = new Server(await free_port(), data, options);
    await server.#answers();
    return server;
  }

  /** Ends it at once, as a power cut would. */
  async kill(): Promise<void> {
    const ended = new Promise(resolve => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
  }

  /** Starts it again on the same data and the same port. */
  async start_again(): Promise<void> {
    this.#process = this.#spawn();
    await this.#answers();
  }

  /** Makes an administrator where no link is printed, and has a node killed soon after. */
  async add_admin(who: { name: string; email: string; password: string }): Promise<void> {
    const database = /PostgreSQL: (\S+)/.exec(this.#said)?.[1] ?? '';
    const args = ['--data', join(this.#data, 'admin'), 'admin', 'create', '--email', who.email, '--name', who.name];
    const made = spawn(PROGRAM, args, { stdio: ['pipe', 'inherit', 'inherit'], env: { ...process.env, POLYCODE_DATABASE: database } });
    made.stdin?.end(`${who.password}\n`);
    await new Promise(resolve => made.once('exit', resolve));
    const victim = Number(/n2: .*kill -9 (\d+)/.exec(this.#said)?.[1]);
    setTimeout(() => process.kill(victim, 'SIGKILL'), KILLED_AFTER_MS).unref();
  }

  #spawn(): ChildProcess {
    return spawn(IS_CLUSTER ? join(PROGRAM, '../loadtests') : PROGRAM, this.#options, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, RUST_LOG: 'error' } });
  }

  async #answers(): Promise<void> {
    for (;;) {
      const answered = await fetch(`${this.url}/healthz`).then(answer => answer.ok, () => false);
      if (answered) return;
      if (this.#process.exitCode !== null) throw new Error('the server does not start');
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }

  async stop(): Promise<void> {
    if (IS_CLUSTER) {
      const ended = new Promise(resolve => this.#process.once('exit', resolve));
      this.#process.kill('SIGTERM');
      await ended;
    } else await this.kill();
    rmSync(this.#data, { recursive: true, force: true });
  }
}

function free_port(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

export const test = base.extend<{ server: Server; options: string[] }>({
  options: [[], { option: true }],
  server: async ({ options }, use) => {
    const server = await Server.start(options);
    await use(server);
    await server.stop();
  },
});

export const ADMIN = { name: 'Inès Carvalho', email: 'ines@kallsvik.example', password: 'kallsvik harbour' };

/** Opens the printed link and makes the first administrator. */
export async function set_up(server: Server, page: Page): Promise<void> {
  if (IS_CLUSTER) {
    await server.add_admin(ADMIN);
    await page.goto(`${server.url}/sign-in`);
    await page.getByLabel('Email').fill(ADMIN.email);
    await page.getByLabel('Password').fill(ADMIN.password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('heading', { name: 'Campaigns', level: 1 }).waitFor();
    return;
  }
  await page.goto(await server.setup_link);
  await page.getByLabel('Your name').fill(ADMIN.name);
  await page.getByLabel('Email').fill(ADMIN.email);
  await page.getByLabel('Password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Create the account' }).click();
  await page.getByRole('heading', { name: 'Campaigns', level: 1 }).waitFor();
}

/** Adds somebody on the page of people; answers the link that is shown, once. */
export async function add_person(page: Page, name: string, email: string): Promise<string> {
  await page.getByRole('button', { name: 'Add a person…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add a person' });
  await dialog.getByLabel('Name').fill(name);
  await dialog.getByLabel('Email').fill(email);
  await dialog.getByRole('button', { name: 'Add and make the link' }).click();
  return page.getByLabel(`Send this link to ${name}`).inputValue();
}

/** Asks the interface in the name of whoever is signed in on `page`. */
export async function ask<T>(page: Page, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await page.request.fetch(`${new URL(page.url()).origin}/api/v1/${path}`, { method, ...(body === undefined ? {} : { data: body }) });
  if (!answer.ok()) throw new Error(`${method} ${path}: ${answer.status()} ${await answer.text()}`);
  return (answer.status() === 204 ? undefined : await answer.json()) as T;
}

/** A page in a browser profile of its own: another device. */
export async function another_device(browser: Browser, size = { width: 1440, height: 900 }): Promise<Page> {
  const context = await browser.newContext({ viewport: size, locale: 'en-GB', timezoneId: 'Europe/Paris' });
  return context.newPage();
}
