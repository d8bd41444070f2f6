import type { Output } from './output.js'
import { cutToWidth } from './style.js'

const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'
const CLEAR_DOWN = '\u001b[J'
const CLEAR_LINE_END = '\u001b[K'

/** A block of lines at the end of a terminal that is drawn over; lines above it scroll away as usual. */
export class Screen {
  readonly #output: Output
  // How many lines of the block stand above the cursor now.
  #drawn = 0
  #last: readonly string[] = []

  constructor(output: Output) {
    this.#output = output
  }

  draw(lines: readonly string[]): void {
    this.#last = lines
    // A block higher than the terminal could not be drawn over: its end is what matters.
    const visible = lines.slice(-Math.max(this.#output.rows - 1, 1))
    const text = visible.map((line) => `${cutToWidth(line, this.#output.columns - 1)}${CLEAR_LINE_END}\n`).join('')
    this.#output.stdout.write(`${HIDE_CURSOR}${this.#toTop()}${text}${CLEAR_DOWN}`)
    this.#drawn = visible.length
  }

  /** Puts a line that stays above the block. */
  above(line: string): void {
    this.#output.stdout.write(`${this.#toTop()}${CLEAR_DOWN}${line}\n`)
    this.#drawn = 0
    this.draw(this.#last)
  }

  /** Leaves the block as it is and gives the cursor back. */
  end(): void {
    if (this.#output.live) this.#output.stdout.write(SHOW_CURSOR)
    this.#drawn = 0
  }

  #toTop(): string {
    return this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\r`
  }
}
