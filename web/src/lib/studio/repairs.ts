import type { Content } from '$lib/wire/Content';
import type { content } from '$lib/words/content';

/** What the page itself can see that is missing, in the person's words. */
export function missing_in({ title, statement, component }: Content, t: ReturnType<typeof content>['local']): string[] {
  const found: string[] = [];
  if (!title.trim()) found.push(t.title);
  if (!statement.trim()) found.push(t.statement);
  if (component.type === 'quiz') {
    const { choices, several } = component;
    const right = choices.filter(choice => choice.right).length;
    if (choices.length < 2) found.push(t.choices);
    if (right === 0) found.push(t.right);
    if (right > 1 && !several) found.push(t.one_right);
    choices.forEach((choice, i) => !choice.text.trim() && found.push(t.choice_empty(i + 1)));
  } else {
    if (component.languages.length === 0) found.push(t.languages);
    if (component.validators.length === 0) found.push(t.validators);
    else if (component.validators.every(validator => validator.weight === 0)) found.push(t.weight);
    const { judging, languages } = component;
    if ((judging.type === 'custom' || judging.type === 'interactive') && !judging.files.some(file => file.text.trim())) found.push(t.judging_program);
    if (judging.type === 'unit_test' && !languages.every(language => judging.tests.some(test => test.language === language && test.files.length > 0))) found.push(t.unit_tests);
  }
  return found;
}
