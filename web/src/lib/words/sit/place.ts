import { number } from '$lib/format';

/** 1st, 2nd, 3rd, 4th … 11th, 12th, 13th, 21st. */
function en_rank(rank: number): string {
  const tens = rank % 100;
  const end = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][rank % 10] ?? 'th');
  return `${number(rank)}${end}`;
}

/** Where one stands on the wall, where its campaign tells it. */
export const place = {
  en: {
    place: {
      rank: en_rank,
      button: (rank: number, of: number) => `You are ${en_rank(rank)} of ${number(of)}. Show who is around you`,
      title: (rank: number, of: number) => `You are ${en_rank(rank)} of ${number(of)}`,
      head: 'Rank',
      who: 'Candidate',
      most: { points: 'Score', icpc: 'Solved' },
      least: { points: 'Minutes', icpc: 'Penalty' },
      you: '(you)',
      how: {
        points: 'By score, then by minutes; equals share a rank. While the wall is frozen this stands still, too.',
        icpc: 'By questions solved, then by penalty: the minutes to each, and 20 for each run rejected before; equals share a rank. While the wall is frozen this stands still, too.',
      },
      close: 'Back to the test',
    },
  },
  fr: {
    place: {
      rank: (rank: number) => (rank === 1 ? '1er' : `${number(rank)}e`),
      button: (rank: number, of: number) => `Vous êtes ${rank === 1 ? '1er' : `${number(rank)}e`} sur ${number(of)}. Montrer qui vous entoure`,
      title: (rank: number, of: number) => `Vous êtes ${rank === 1 ? '1er' : `${number(rank)}e`} sur ${number(of)}`,
      head: 'Rang',
      who: 'Candidat',
      most: { points: 'Score', icpc: 'Résolues' },
      least: { points: 'Minutes', icpc: 'Pénalité' },
      you: '(vous)',
      how: {
        points: 'Par score, puis par minutes ; à égalité, le rang est partagé. Tant que le mur est gelé, ceci l’est aussi.',
        icpc: 'Par questions résolues, puis par pénalité : les minutes jusqu’à chacune, et 20 par essai rejeté avant ; à égalité, le rang est partagé. Tant que le mur est gelé, ceci l’est aussi.',
      },
      close: 'Retour à l’épreuve',
    },
  },
};
