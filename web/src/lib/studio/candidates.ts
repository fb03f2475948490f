/** "Inès Carvalho" → "IC". */
export function initials(name: string): string {
  const parts = name.trim().split(/\s+/);
  return [parts[0], parts.length > 1 ? parts.at(-1) : ''].map(part => [...(part ?? '')][0] ?? '').join('').toLocaleUpperCase();
}

/** A candidate as typed on one line. */
export type Newcomer = { name: string; email: string; tags: string[] };
export type BadLine = { line: number; why: 'no_name' | 'bad_email' | 'twice' | 'there_already'; text: string };
export type Parsed = { people: Newcomer[]; lines: number[]; bad: BadLine[] };

/**
 * Reads `Name, email, tag; tag`, one person a line. Tabs and semicolons may stand for the first two commas, so that
 * lines from a spreadsheet can be pasted; whichever field looks like an address is the address.
 */
export function parse_people(text: string, there: ReadonlySet<string> = new Set()): Parsed {
  const parsed: Parsed = { people: [], lines: [], bad: [] };
  const seen = new Set<string>();
  text.split('\n').forEach((raw, i) => {
    const line = i + 1;
    if (!raw.trim()) return;
    const { name, email, tags } = fields(raw);
    const key = email.toLowerCase();
    const why = !name ? 'no_name' : !is_email(email) ? 'bad_email' : seen.has(key) ? 'twice' : there.has(key) ? 'there_already' : undefined;
    if (why) return void parsed.bad.push({ line, why, text: email || raw.trim() });
    seen.add(key);
    parsed.people.push({ name, email, tags });
    parsed.lines.push(line);
  });
  return parsed;
}

export function is_email(text: string): boolean {
  return /^[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@,;<>.]{2,}$/u.test(text);
}

export function split_tags(text: string): string[] {
  return [...new Set(text.split(/[;,\t]/).map(tag => tag.trim()).filter(Boolean))];
}

function fields(raw: string): Newcomer {
  const parts = raw.split(/[,;\t]/).map(part => part.trim().replace(/^"(.*)"$/, '$1').trim());
  const at = parts.findIndex(part => part.includes('@'));
  const bracketed = /^(.*)<([^>]+)>$/.exec(parts[at] ?? '');
  if (bracketed) return { name: (bracketed[1] ?? '').trim() || (parts[0] ?? ''), email: (bracketed[2] ?? '').trim(), tags: tags_of(parts.slice(at + 1)) };
  if (at === 0) return { name: parts[1] ?? '', email: parts[0] ?? '', tags: tags_of(parts.slice(2)) };
  return { name: parts[0] ?? '', email: at < 0 ? (parts[1] ?? '') : (parts[at] ?? ''), tags: tags_of(parts.slice((at < 0 ? 1 : at) + 1)) };
}

function tags_of(parts: string[]): string[] {
  return [...new Set(parts.filter(Boolean))];
}
