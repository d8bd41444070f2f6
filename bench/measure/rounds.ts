/**
 * Runs every contestant once a round, and begins each round with another one, so that a machine that grows slower or
 * a neighbour that comes and goes hits them all. Resolves to what each one did, round by round.
 * Whoever is `once` is left out after the first.
 */
export async function rounds<Contestant, Result>(
  contestants: readonly Contestant[],
  repeat: number,
  run: (contestant: Contestant, round: number) => Promise<Result>,
  once: (contestant: Contestant) => boolean = () => false,
): Promise<Map<Contestant, Result[]>> {
  const results = new Map<Contestant, Result[]>(contestants.map((contestant) => [contestant, []]))
  for (let round = 0; round < repeat; round += 1) {
    for (const contestant of rotated(contestants, round)) {
      if (round > 0 && once(contestant)) continue
      results.get(contestant)?.push(await run(contestant, round))
    }
  }
  return results
}

// Every second round runs backwards, so that nobody always comes right behind the same one.
function rotated<Contestant>(contestants: readonly Contestant[], round: number): Contestant[] {
  const from = (round * Math.max(1, Math.floor(contestants.length / 3))) % Math.max(1, contestants.length)
  const order = [...contestants.slice(from), ...contestants.slice(0, from)]
  return round % 2 === 0 ? order : order.reverse()
}
