import { number } from '$lib/format';

/** "1 minute", "2 minutes". */
export const en_count = (count: number, one: string, many: string) => `${number(count)} ${count === 1 ? one : many}`;

/** "1 minute", "0 minute", "2 minutes", with a space that does not break. */
export const fr_count = (count: number, one: string, many: string) => `${number(count)}\u00a0${count < 2 ? one : many}`;
