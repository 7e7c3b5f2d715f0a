// Whether two JSON values are the same, whatever the order of an object's members.
export function equal(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) {
    return one === other;  // 0 and -0 are one JSON number
  }
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every((name) =>
    Object.hasOwn(other, name) && equal((one as any)[name], (other as any)[name]));
}
