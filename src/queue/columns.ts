/** The most that an INTEGER column of ours holds. What counts further than that stays there. */
export const MAX_INTEGER = 2 ** 31 - 1
