def total(rows):
    return sum(row["cents"] for row in rows)
