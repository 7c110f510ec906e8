/** Whether a prototype and those it inherits from are a user's classes, none of them built in but Object. */
export function hasOnlyUserCode(prototype: object): boolean {
  let at = prototype
  for (let next = Object.getPrototypeOf(at); next !== null; next = Object.getPrototypeOf(at)) {
    const maker = Object.getOwnPropertyDescriptor(at, 'constructor')?.value
    if (typeof maker === 'function' && /\[native code\]\s*\}$/.test(Function.prototype.toString.call(maker)))
      return false
    at = next
  }
  return true
}
