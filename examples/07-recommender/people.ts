export const USERS = 120
export const ITEMS = 60

const RANK = 3

/** People with tastes: what each would say of each item, and a stream of ratings with some noise. */
export class People {
  private seed = 99
  private readonly users = this.factors(USERS)
  private readonly items = this.factors(ITEMS)

  /** What a user would say of an item on an average day. */
  taste(user: number, item: number): number {
    return 3 + this.users[user]!.reduce((sum, factor, at) => sum + factor * this.items[item]![at]!, 0)
  }

  ratings(count: number): { user: number; item: number; rating: number }[] {
    return Array.from({ length: count }, () => {
      const [user, item] = [Math.floor(this.uniform() * USERS), Math.floor(this.uniform() * ITEMS)]
      return { user, item, rating: this.taste(user, item) + 0.3 * this.normal() }
    })
  }

  private factors(count: number): number[][] {
    return Array.from({ length: count }, () => Array.from({ length: RANK }, () => this.normal() * 0.8))
  }

  private normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
  }

  private uniform(): number {
    this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0
    return (this.seed + 0.5) / 2 ** 32
  }
}
