const WORDS =
  'the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which'.split(
    ' ',
  )

const WORDS_IN_LINE = 9

/** Lines of words, some far more frequent than others, the same ones each time. */
export function* text(lines: number): Generator<string> {
  let seed = 7
  const uniform = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return (seed >>> 8) / 2 ** 24
  }
  for (let line = 0; line < lines; line++) {
    const words = Array.from({ length: WORDS_IN_LINE }, () => {
      const common = WORDS[Math.floor(uniform() ** 2 * WORDS.length)]!
      // Every tenth word is a rare one, of which there are many.
      return uniform() < 0.1 ? `word${letters(Math.floor(uniform() * 5000))}` : common
    })
    const [first, ...rest] = words
    yield `${first!.charAt(0).toUpperCase()}${first!.slice(1)} ${rest.join(' ')}.`
  }
}

function letters(number: number): string {
  return number < 26 ? String.fromCharCode(97 + number) : letters(Math.floor(number / 26)) + letters(number % 26)
}
