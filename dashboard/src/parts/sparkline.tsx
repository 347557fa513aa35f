/** Small bars, each a number of the last hours; the sentence says it to those who do not see them. */
export function Sparkline({ values, label }: { readonly values: readonly number[]; readonly label: string }) {
  const highest = Math.max(1, ...values);
  return (
    <svg role="img" aria-label={label} width={values.length * 5} height={22} className="shrink-0 text-bad">
      <title>{label}</title>
      {values.map((value, i) => {
        const height = value === 0 ? 1 : 3 + (value / highest) * 18;
        const key = `${i}`;
        return (
          <rect
            key={key}
            x={i * 5}
            y={22 - height}
            width={4}
            height={height}
            fill="currentColor"
            opacity={value === 0 ? 0.25 : 1}
          />
        );
      })}
    </svg>
  );
}
