const CODE = /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/i;

/** The code of an invitation in what was pasted: the code itself, its link, or the mail around it. */
export function code_in(text: string): string | undefined {
  return CODE.exec(text)?.[0].toLowerCase();
}

/** The whole link, as it is sent to a candidate. */
export function link_of(code: string): string {
  return new URL(`/s/${code}`, location.href).href;
}

/** The whole link of a wall. */
export function wall_link_of(code: string): string {
  return new URL(`/wall/${code}`, location.href).href;
}
