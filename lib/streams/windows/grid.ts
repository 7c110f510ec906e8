import type { TimeWindows } from './definition'

/**
 * The grid of time windows. A slice is the longest stretch that lies whole in each window it touches, so that items can be
 * accumulated once for all of them.
 */
export class Grid {
  readonly slice: number
  readonly size: number
  readonly slide: number
  private readonly offset: number

  constructor({ size, slide, offset }: TimeWindows) {
    this.size = size
    this.slide = slide
    this.offset = offset
    this.slice = divisor(size, slide)
  }

  /** The start of the slice that `time` is in. */
  sliceOf(time: number): number {
    return Math.floor((time - this.offset) / this.slice) * this.slice + this.offset
  }

  /** The end of the first window that has the slice at `start`. */
  firstEnd(start: number): number {
    return this.endFrom(start + this.slice)
  }

  /** The end of the last window that has the slice at `start`. */
  lastEnd(start: number): number {
    return Math.floor((start - this.offset) / this.slide) * this.slide + this.offset + this.size
  }

  /** The start of the first slice whose last window ends after `time`: those before it are over by then. */
  firstOpen(time: number): number {
    return (Math.floor((time - this.offset - this.size) / this.slide) + 1) * this.slide + this.offset
  }

  /** The first end of a window at or after `time`. */
  endFrom(time: number): number {
    const origin = this.offset + this.size
    return Math.ceil((time - origin) / this.slide) * this.slide + origin
  }

  /** The first end of a window after `time`. */
  endAfter(time: number): number {
    const origin = this.offset + this.size
    return Math.floor((time - origin) / this.slide) * this.slide + origin + this.slide
  }
}

function divisor(a: number, b: number): number {
  let [x, y] = [a, b]
  while (y !== 0) [x, y] = [y, x % y]
  return x
}
